"""Whether drawing many sequences together writes what drawing each alone writes.

    PYTHONPATH=tests python benchmarks/agreement.py MODEL.gguf PASSAGES.json [--prompts 8]

Greedy completions about PubMedQA's abstracts: all together, against one token at a time. Where
they part, the two likeliest tokens' logits were that far apart: a near-tie may fall either way.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from generate import load_work
from one_by_one import Reference

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("passages", type=Path)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=32)
    args = parser.parse_args()
    prompts = [item.prompt for item in load_work(args.passages, args.prompts, 1)]
    sampling = Sampling(temperature=0, max_tokens=args.tokens)
    with closing(LlamaCpp(args.model)) as engine:
        requests = (Request(str(i), p, sampling, (Sample(0, 0),)) for i, p in enumerate(prompts))
        together = {int(c.request_id): c.text for c in engine.generate(requests)}
    with closing(Reference(args.model)) as reference:
        same = 0
        for i, prompt in enumerate(prompts):
            alone = reference.greedy(prompt, args.tokens)
            if together[i] == alone.text():
                same += 1
                continue
            at = next(
                n for n in range(args.tokens + 1) if not together[i].startswith(alone.text(n))
            )
            print(f"prompt {i}: part at token {at}, gap {alone.gaps[at - 1]:.4f}")
    print(f"{same} of {len(prompts)} equal")


if __name__ == "__main__":
    main()
