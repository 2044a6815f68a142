"""How much each column of the model's matrices matters on the mix: an importance matrix.

Small models lose most when they are rounded; an importance matrix lets `convert` round those
columns best that the model's own prompts and rows use most. The file has the form of
`llama-imatrix`: for each tensor the sums of squares of its inputs, and their count.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

_MOST_TOKENS = 640


def measure(base: Path, adapter: Path, texts: Iterator[str]) -> tuple[dict[str, Any], int]:
    """Return the sums of squares of each tensor's inputs, by GGUF name, and the tokens seen."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload().eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    sums: dict[str, Any] = {}
    seen = 0

    def add(name: str, _: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        squares = inputs[0].reshape(-1, inputs[0].shape[-1]).float().square().sum(0)
        sums[name] = sums.get(name, 0) + squares

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            # The head shares the embedding's tensor.
            name = "token_embd" if path == "lm_head" else names.get_name(path)
            module.register_forward_pre_hook(partial(add, f"{name}.weight"))
    with torch.inference_mode():
        for text in texts:
            tokens = tokenizer(text, return_tensors="pt").input_ids[:, :_MOST_TOKENS]
            model(tokens)
            seen += tokens.shape[1]
    return sums, seen


def write(path: Path, sums: dict[str, Any], seen: int) -> None:
    """Write the sums as `llama-imatrix` does."""
    writer = gguf.GGUFWriter(path, arch="")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["rows.jsonl"])
    for name, values in sorted(sums.items()):
        writer.add_tensor(f"{name}.in_sum2", values.numpy().astype(np.float32))
        writer.add_tensor(f"{name}.counts", np.array([seen], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=256)
    args = parser.parse_args()
    with args.rows.open(encoding="utf-8") as file:
        rows = (json.loads(line) for line in islice(file, args.count))
        write(args.out, *measure(args.base, args.adapter, (r["input"] + r["output"] for r in rows)))


if __name__ == "__main__":
    main()
