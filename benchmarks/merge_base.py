"""Which merge is closer to the model that Q-LoRA trained: into bf16, or into NF4?

    python benchmarks/merge_base.py BASE ADAPTER ROWS.jsonl [--rows 40]

The trained model is what the trainer computes with: the NF4 base with double quantization and
bf16 arithmetic, and the adapter beside it, in transformers and PEFT. Its logits on ROWS
(`input` and `output`, as the training mix has them) are compared with those of converted files
in llama.cpp. `task loss` is the mean negative log-likelihood of the output's tokens.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.convert.pipeline import convert

Logits = npt.NDArray[np.float64]


def log_softmax(logits: Logits) -> Logits:
    logits = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))


def trained(base: Path, adapter: Path, samples: list[list[int]]) -> list[Logits]:
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    loaded = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=nf4, dtype=torch.bfloat16, device_map={"": "cpu"}
    )
    model = PeftModel.from_pretrained(loaded, adapter).eval()
    with torch.no_grad():
        return [
            log_softmax(model(torch.tensor([tokens])).logits[0].double().numpy())
            for tokens in samples
        ]


def converted(path: Path, samples: list[list[int]]) -> list[Logits]:
    found = []
    with closing(LlamaCpp(path, Settings(n_seq=1))) as engine, closing(Scorer(engine)) as model:
        for tokens in samples:
            found.append(model.log_probs(np.array(tokens, np.int32)).astype(np.float64))
    return found


def task_loss(log_probs: list[Logits], samples: list[list[int]], starts: list[int]) -> float:
    losses = [
        -p[i - 1, tokens[i]]
        for p, tokens, start in zip(log_probs, samples, starts, strict=True)
        for i in range(start, len(tokens))
    ]
    return float(np.mean(losses))


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("base", "adapter", "rows"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rows", dest="count", type=int, default=40)
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    samples, starts = [], []
    with args.rows.open() as lines:
        for line in lines:
            row = json.loads(line)
            head = tokenizer.encode(row["input"])
            tail = tokenizer.encode(row["output"], add_special_tokens=False)
            if len(head) + len(tail) < 1000:
                samples.append([*head, *tail, tokenizer.eos_token_id])
                starts.append(len(head))
            if len(samples) == args.count:
                break
    want = trained(args.base, args.adapter, samples)
    print("| file | mean KL from the trained model | top-1 agreement | task loss |")
    print("|---|---|---|---|")
    print(f"| the trained model | 0 | 100 % | {task_loss(want, samples, starts):.4f} |")
    with tempfile.TemporaryDirectory() as folder:
        for quant in ("F32", "Q8_0", "Q4_K_M"):
            for merge_into in ("bf16", "nf4"):
                out = Path(folder) / f"{quant}-{merge_into}.gguf"
                adapters = [args.adapter]
                convert(args.base, out, adapters=adapters, quant=quant, merge_into=merge_into)
                got = converted(out, samples)
                pairs = list(zip(want, got, strict=True))
                kl = np.concatenate([(np.exp(p) * (p - q)).sum(-1) for p, q in pairs])
                top1 = np.concatenate([p.argmax(-1) == q.argmax(-1) for p, q in pairs])
                loss = task_loss(got, samples, starts)
                print(f"| {quant}, into {merge_into} | {kl.mean():.5f} ", end="")
                print(f"| {100 * top1.mean():.1f} % | {loss:.4f} |")


if __name__ == "__main__":
    main()
