"""Rank classification: this package's engines against lm-evaluation-harness's.

    pip install 'lm_eval[hf]'
    python benchmarks/evaluate.py BASE --data EVALUATION_SETS [--set pubmedqa] [--items 30]

The same prompts and choices, with EOS behind each choice as the paper's protocol has it, go to
lm_eval's `hf` model, to the transformers backend and, as an F16 GGUF made here, to the llama.cpp
backend, all in one process, in turn, each with its own best batching on the same threads. Times
are of the scoring alone. The log-probabilities are compared, and the labels chosen.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from bonito_local.backends.likelihood import Question
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.registry import open_scorer
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.convert.pipeline import convert
from bonito_local.evaluation.protocol import draw_items, fit
from bonito_local.evaluation.sets import find_sets
from bonito_local.evaluation.templates import templates_of
from bonito_local.tasks import FORMS


def questions(
    backend: Transformers, data: Path, name: str, items: int, tokens: int
) -> list[Question]:
    (found,) = find_sets(name, data)
    path = found.find(data)
    assert path is not None
    templates, form = templates_of(found), FORMS["adapted"]
    asked = fit(backend, found, draw_items(found.read(path), items, 0), templates, form, tokens)
    return [
        Question(form.wrap(one.fill(item, item.passage, found.kind)), one.choices, form.ends)
        for one in templates
        for item in asked.items
    ]


class Harness:
    """lm_eval's own engine on the same weights, with the trainer's tokens."""

    def __init__(self, backend: Transformers, rows: int) -> None:
        tokenizer = backend.texts.tokenizer
        self._end = tokenizer.eos_token
        self._lm = HFLM(
            pretrained=backend.model,
            tokenizer=tokenizer,
            batch_size=rows,
            add_bos_token=True,
            max_length=backend.context_length,
        )

    def answers(self, asked: list[Question]) -> list[tuple[float, ...]]:
        pairs = [
            (question.prompt, text + self._end) for question in asked for text in question.answers
        ]
        requests = [
            Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=at)
            for at, pair in enumerate(pairs)
        ]
        logs = iter([log for log, _ in self._lm.loglikelihood(requests, disable_tqdm=True)])
        return [tuple(next(logs) for _ in question.answers) for question in asked]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("base", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", dest="name", default="pubmedqa")
    parser.add_argument("--items", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=16, help="of lm_eval's batches")
    parser.add_argument("--passage-tokens", type=int, default=512)
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    dtype = getattr(torch, args.dtype)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Transformers(args.base, dtype=dtype)) as transformers,
    ):
        gguf = Path(folder) / "base.gguf"
        convert(args.base, gguf, quant="F16")
        asked = questions(transformers, args.data, args.name, args.items, args.passage_tokens)
        lengths = [transformers.count_tokens(one.prompt) for one in asked]
        choices = len(asked[0].answers)
        print(f"{len(asked)} prompts of {np.mean(lengths):.0f} tokens, {choices} choices")
        with closing(LlamaCpp(gguf)) as llama, closing(open_scorer("llamacpp", llama)) as scorer:
            engines = {
                "lm_eval hf": Harness(transformers, args.rows),
                "transformers": open_scorer("transformers", transformers),
                "llamacpp, F16": scorer,
            }
            seconds: dict[str, list[float]] = {name: [] for name in engines}
            logs = {}
            for _ in range(args.rounds):
                for name, engine in engines.items():
                    begun = time.perf_counter()
                    logs[name] = np.array(list(engine.answers(asked)))
                    seconds[name].append(time.perf_counter() - begun)
    theirs = logs["lm_eval hf"]
    for name, taken in seconds.items():
        ratio = median(a / b for a, b in zip(seconds["lm_eval hf"], taken, strict=True))
        # What all choices of a prompt share (a line end that is counted or not) is no matter.
        apart = (logs[name] - logs[name][:, :1]) - (theirs - theirs[:, :1])
        same = (logs[name].argmax(1) == theirs.argmax(1)).mean()
        print(
            f"{name:14} {len(asked) / median(taken):7.1f} prompts/s  {ratio:5.2f} x lm_eval  "
            f"worst difference {np.abs(apart).max():.4f}  same label {same:.1%}"
        )


if __name__ == "__main__":
    main()
