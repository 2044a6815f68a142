"""Our backends against the engines that they are made of, each in a process of its own.

    .venv-vllm/bin/python benchmarks/backends.py vllm
    .venv/bin/python benchmarks/backends.py transformers --limit 32

Run it in an environment that has the engine (`make test-vllm` leaves one in .venv-vllm). Without
a checkpoint and documents of one's own it makes a Mistral-shaped one of 8 layers and random
weights, and reads the example documents.

`vllm`: a job that streams its rows into the ledger, against a bare `LLM.generate` over all of
the same prompts at once, with vLLM's defaults. `transformers`: such a job in 4 bits, against
`model.generate` for one prompt at a time in 4 bits, as upstream's tutorial for small GPUs does.
Both draw greedily, so that both draw the same tokens; the model is loaded before the clock starts.
The two take turns, and the ratio is the median of the rounds'.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bonito_local.backends.base import Backend, EngineOptions, Plan, Sampling
from bonito_local.backends.registry import open_backend
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.passages.discover import find_documents
from bonito_local.passages.reader import read_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Document, Passage
from bonito_local.tasks import format_prompt, task_type

ROOT = Path(__file__).parent.parent
TASK = task_type("exqa")
SAMPLING = Sampling(temperature=0.0, max_tokens=64)
OPTIONS = {
    "vllm": EngineOptions(dtype="bfloat16"),
    "transformers": EngineOptions(quantization="nf4"),
}


def passages(backend: Backend, folder: Path, limit: int) -> list[Passage]:
    """The first passages that the documents hold, of at most 200 tokens."""

    def found() -> Iterator[Passage]:
        for document in find_documents([folder]):
            if isinstance(document, Document):
                for item in read_passages(document, backend.count_tokens, Lengths(200)):
                    if isinstance(item, Passage):
                        yield item

    return [item for item, _ in zip(found(), range(limit), strict=False)]


def ours(engine: str, checkpoint: Path, folder: Path, limit: int) -> dict[str, Any]:
    """A job, from its first request to its last row in the ledger; planning is not in it."""
    with (
        closing(open_backend(engine, checkpoint, Plan(options=OPTIONS[engine]))) as backend,
        tempfile.TemporaryDirectory() as work,
        closing(Store(Path(work) / "store.sqlite")) as store,
    ):
        spec = JobSpec((TASK,), SAMPLING, "m", "0" * 64, engine, 200, checks=Thresholds())
        found = passages(backend, folder, limit)
        warm(backend)
        stopped = False

        def stop() -> bool:
            return stopped

        # Planned by a run that is stopped before it asks for anything.
        def planned() -> Iterator[Passage]:
            nonlocal stopped
            yield from found
            stopped = True

        run_job(store, backend, spec, planned(), stop=stop)
        stopped = False
        started = time.perf_counter()
        ledger = run_job(store, backend, spec, None)
        seconds = time.perf_counter() - started
        if ledger.pending or not ledger.planned:
            raise SystemExit(f"{ledger.pending} of {ledger.planned} samples are pending.")
        return {"rows": ledger.planned, "seconds": seconds}


def warm(backend: Backend) -> None:
    """Draw one row, so that nothing is set up while the clock runs."""
    from bonito_local.backends.base import Request, Sample

    list(backend.generate([Request("w", "warm", Sampling(max_tokens=2), (Sample(0, 0),))]))


def bare_vllm(checkpoint: Path, prompts: list[str]) -> dict[str, Any]:
    """`LLM.generate` over everything at once."""
    import torch
    from vllm import LLM, SamplingParams

    llm = LLM(
        str(checkpoint),
        dtype="bfloat16",
        enforce_eager=not torch.cuda.is_available(),
        disable_log_stats=True,
    )
    params = SamplingParams(temperature=0.0, max_tokens=SAMPLING.max_tokens)
    llm.generate(["warm"], SamplingParams(max_tokens=2), use_tqdm=False)
    started = time.perf_counter()
    done = llm.generate(prompts, params, use_tqdm=False)
    return {"rows": len(done), "seconds": time.perf_counter() - started}


def bare_transformers(checkpoint: Path, prompts: list[str]) -> dict[str, Any]:
    """`model.generate`, prompt after prompt, in 4 bits."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint,
        device_map={"": device},
        dtype=torch.bfloat16,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        ),
    )
    end = tokenizer.eos_token_id

    def draw(prompt: str, most: int) -> None:
        inputs = tokenizer(prompt, return_tensors="pt").to(device)
        inputs.pop("token_type_ids", None)
        drawn = model.generate(**inputs, do_sample=False, max_new_tokens=most, pad_token_id=end)
        tokenizer.decode(drawn[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    draw("warm", 2)
    started = time.perf_counter()
    for prompt in prompts:
        draw(prompt, SAMPLING.max_tokens)
    return {"rows": len(prompts), "seconds": time.perf_counter() - started}


def stand_in(folder: Path) -> Path:
    """A checkpoint of random weights, which hardly ever ends a text before its limit."""
    sys.path.insert(0, str(ROOT / "tests"))
    from tiny_checkpoint import write_checkpoint

    write_checkpoint(folder, width=768, ffn=2048, layers=8, heads=12, kv_heads=4)
    return folder


def measure(args: argparse.Namespace) -> None:
    """Be the process that measures one of the two, and print what it found."""
    if args.what == "ours":
        found = ours(args.engine, args.checkpoint, args.documents, args.limit)
    else:
        prompts = json.loads(args.prompts.read_text())
        bare = bare_vllm if args.engine == "vllm" else bare_transformers
        found = bare(args.checkpoint, prompts)
    print("FOUND", json.dumps(found), flush=True)


def compare(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as work:
        args.checkpoint = args.checkpoint or stand_in(Path(work) / "checkpoint")
        prompts = Path(work) / "prompts.json"
        prompts.write_text(json.dumps(_prompts(args)))
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        for turn in range(args.rounds):
            for what, found in rates.items():
                result = _run(args, what, prompts)
                found.append(result["rows"] / result["seconds"])
                print(f"round {turn + 1}: {what} {json.dumps(result)}", file=sys.stderr, flush=True)
    ratios = [a / b for a, b in zip(rates["ours"], rates["bare"], strict=True)]
    print("| engine | ours, rows/s | bare, rows/s | ratio, median (each) |\n|---|---|---|---|")
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(
        f"| {args.engine} | {statistics.median(rates['ours']):.2f} | "
        f"{statistics.median(rates['bare']):.2f} | {statistics.median(ratios):.2f} ({each}) |"
    )


def _prompts(args: argparse.Namespace) -> list[str]:
    """The prompts that our job asks, cut by the same tokenizer."""
    from bonito_local.backends.transformers.texts import Texts

    texts = Texts(args.checkpoint)

    class Counter:
        def count_tokens(self, text: str) -> int:
            return texts.count(text)

    found = passages(Counter(), args.documents, args.limit)  # type: ignore[arg-type]
    return [format_prompt(TASK, passage.text) for passage in found]


def _run(args: argparse.Namespace, what: str, prompts: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, args.engine, args.checkpoint, args.documents]
    options = ["--limit", args.limit, "--measure", what, "--prompts", prompts]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",  # GB: by itself it takes nearly all memory, or fails
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
    }
    ended = subprocess.run(
        [str(part) for part in [*command, *options]],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    for line in ended.stdout.splitlines():
        if line.startswith("FOUND "):
            found: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
            return found
    raise SystemExit(f"{what} failed:\n{ended.stderr[-3000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", choices=sorted(OPTIONS))
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("documents", type=Path, nargs="?", default=ROOT / "examples/documents")
    parser.add_argument("--limit", type=int, default=200, help="passages, one row each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", dest="what", choices=["ours", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--prompts", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.what:
        measure(args)
    else:
        compare(args)


if __name__ == "__main__":
    main()
