"""Convert against the tools it replaces, in the same run.

    python benchmarks/convert.py --llama-cpp SOURCES --tokenizer tokenizer.model \\
        --work FOLDER [--quantize BUILD/bin/llama-quantize] [--layers 4] [--rounds 3]

SOURCES is llama.cpp's source tree (llama-cpp-python's sdist holds one, in vendor/). Without
--quantize the function behind `llama-quantize` runs from the installed llama-cpp-python. A
Mistral-7B-shaped checkpoint of `--layers` layers with random weights and an r=64 adapter on
all linear layers is made once; then each round runs the three tools and ours one after the
other, so that both see the same machine. Medians and ratios are printed as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MERGE = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base, adapter, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(out)
"""

QUANTIZE = """
import sys
from gguf import LlamaFileType
from llama_cpp import llama_model_quantize, llama_model_quantize_default_params
source, out, name = sys.argv[1:]
params = llama_model_quantize_default_params()
params.ftype = LlamaFileType["MOSTLY_" + name]
sys.exit(llama_model_quantize(source.encode(), out.encode(), params))
"""


@dataclass(frozen=True)
class Run:
    """One process: wall and processor seconds, peak resident bytes, bytes it left behind."""

    seconds: float
    processor: float
    peak: int
    left: int


def run(command: list[str], made: Path) -> Run:
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        errors = log.read()
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{command[:3]} failed:\n{errors.decode()[-2000:]}")
    files = [made] if made.is_file() else list(made.rglob("*"))
    processor = usage.ru_utime + usage.ru_stime
    return Run(seconds, processor, usage.ru_maxrss * 1024, sum(f.stat().st_size for f in files))


def tools(args: argparse.Namespace, base: Path, adapter: Path) -> dict[str, Run]:
    merged, bf16, out = (args.work / name for name in ("merged", "bf16.gguf", "theirs.gguf"))
    shutil.rmtree(merged, ignore_errors=True)
    runs = {"peft merge": run([sys.executable, "-c", MERGE, base, adapter, merged], merged)}
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copy(base / name, merged)
    script = args.llama_cpp / "convert_hf_to_gguf.py"
    to_gguf = [sys.executable, script, merged, "--outtype", "bf16", "--outfile", bf16]
    runs["convert_hf_to_gguf.py"] = run([str(part) for part in to_gguf], bf16)
    quantizer = [args.quantize] if args.quantize else [sys.executable, "-c", QUANTIZE]
    quantize = [*quantizer, bf16, out, args.quant]
    runs["llama-quantize"] = run([str(part) for part in quantize], out)
    shutil.rmtree(merged)
    bf16.unlink()
    return runs


def ours(args: argparse.Namespace, base: Path, adapter: Path) -> Run:
    out = args.work / "ours.gguf"
    for path in (out, out.with_name(out.name + ".json")):
        path.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bonito_local", "convert", base, "--quant", args.quant]
    return run([str(part) for part in (*command, "--adapter", adapter, "-o", out)], out)


def make_checkpoint(folder: Path, layers: int, tokenizer: Path) -> None:
    """Mistral-7B's shape with `layers` layers, one shard per layer, random bfloat16.

    `tokenizer` is a tokenizer.model of 32,000 tokens, or a checkpoint whose tokenizer is taken.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    shapes = {
        "self_attn.q_proj": (4096, 4096),
        "self_attn.k_proj": (1024, 4096),
        "self_attn.v_proj": (1024, 4096),
        "self_attn.o_proj": (4096, 4096),
        "mlp.gate_proj": (14336, 4096),
        "mlp.up_proj": (14336, 4096),
        "mlp.down_proj": (4096, 14336),
    }
    torch.manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return (torch.randn(shape) * 0.02).to(torch.bfloat16)

    special = {"vocab_size": 32000, "bos_token_id": 1, "eos_token_id": 2}
    if tokenizer.is_dir():
        given = json.loads((tokenizer / "config.json").read_text())
        special = {name: given[name] for name in special}
    norm = torch.ones(4096, dtype=torch.bfloat16)
    words = special["vocab_size"]
    ends = {"model.embed_tokens.weight": random(words, 4096), "model.norm.weight": norm}
    parts = [{**ends, "lm_head.weight": random(words, 4096)}]
    weight_map = {}
    for layer in range(-1, layers):
        if layer < 0:
            tensors = parts.pop()
        else:
            prefix = f"model.layers.{layer}."
            tensors = {f"{prefix}{name}.weight": random(*s) for name, s in shapes.items()}
            for name in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"{prefix}{name}.weight"] = norm.clone()
        shard = f"model-{layer + 2:05d}-of-{layers + 1:05d}.safetensors"
        save_file(tensors, folder / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, shard)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {
        "architectures": ["MistralForCausalLM"],
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": layers,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **special,
    }
    (folder / "config.json").write_text(json.dumps(config))
    if tokenizer.is_dir():
        for path in (*tokenizer.glob("*token*.json"), *tokenizer.glob("tokenizer.model")):
            shutil.copy(path, folder)
        return
    settings = {"add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    shutil.copy(tokenizer, folder / "tokenizer.model")


def make_adapter(folder: Path, base: Path, layers: int) -> None:
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    widths = {
        "self_attn.q_proj": (4096, 4096),
        "self_attn.k_proj": (1024, 4096),
        "self_attn.v_proj": (1024, 4096),
        "self_attn.o_proj": (4096, 4096),
        "mlp.gate_proj": (14336, 4096),
        "mlp.up_proj": (14336, 4096),
        "mlp.down_proj": (4096, 14336),
    }
    torch.manual_seed(1)
    tensors = {}
    for layer in range(layers):
        for name, (out, width) in widths.items():
            key = f"base_model.model.model.layers.{layer}.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(64, width) * 0.01
            tensors[f"{key}.lora_B.weight"] = torch.randn(out, 64) * 0.01
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(base),
        "r": 64,
        "lora_alpha": 4,
        "target_modules": [name.split(".")[1] for name in widths],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))


def apart(make: Callable[..., None], *args: object) -> None:
    """Run in a process of its own: Linux counts a parent's peak as its children's."""
    process = multiprocessing.get_context("spawn").Process(target=make, args=args)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{make.__name__} failed.")


def median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(r.seconds for r in runs),
        statistics.median(r.processor for r in runs),
        max(r.peak for r in runs),
        runs[-1].left,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("llama-cpp", "tokenizer", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--quantize", type=Path)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quant", default="Q4_K_M")
    parser.add_argument("--ours-only", action="store_true", help="for shapes the tools cannot fit")
    args = parser.parse_args()
    base, adapter = args.work / f"base-{args.layers}", args.work / f"adapter-{args.layers}"
    if not base.exists():
        apart(make_checkpoint, base, args.layers, args.tokenizer)
    if not adapter.exists():
        apart(make_adapter, adapter, base, args.layers)
    columns: dict[str, list[Run]] = {}
    for _ in range(args.rounds):
        runs = {} if args.ours_only else tools(args, base, adapter)
        runs["bonito-local convert"] = ours(args, base, adapter)
        for name, measured in runs.items():
            columns.setdefault(name, []).append(measured)
            print(f"{name}: {measured}", file=sys.stderr, flush=True)
    rows = {name: median(runs) for name, runs in columns.items()}
    print("| step | seconds | processor seconds | peak memory, GB | written, GB |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        times = f"{row.seconds:.1f} | {row.processor:.1f}"
        print(f"| {name} | {times} | {row.peak / 1e9:.2f} | {row.left / 1e9:.2f} |")
    if args.ours_only:
        return
    mine = columns["bonito-local convert"]
    steps = [runs for name, runs in columns.items() if name != "bonito-local convert"]
    others = {
        "the three tools' sum": steps,
        "llama-quantize alone": [columns["llama-quantize"]],
    }
    for name, other in others.items():
        for unit in ("seconds", "processor"):
            ratios = [
                getattr(run, unit) / sum(getattr(runs[i], unit) for runs in other)
                for i, run in enumerate(mine)
            ]
            each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
            print(f"ours / {name}, {unit}: {statistics.median(ratios):.2f} (each round: {each})")


if __name__ == "__main__":
    main()
