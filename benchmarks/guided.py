"""What --guided changes: rows that parse and fit their task type, and rows per second.

    python benchmarks/guided.py [--model FILE.gguf] [--documents examples/documents] [--n 4]

The same passages and seeds, with and without, in turn; `fit` is the share of all completions
that parse and whose response is a span of the passage (exqa) or yes or no (ynqa).
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import closing
from pathlib import Path
from time import perf_counter

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.checks.rules import check
from bonito_local.jobs.guided import shape_of
from bonito_local.models.catalog import resolve_model
from bonito_local.models.fit import passage_tokens
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage
from bonito_local.tasks import format_prompt, parse_completion, task_type


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tests/data/bonito-tiny.gguf")
    parser.add_argument("--documents", type=Path, default=Path("examples/documents"))
    parser.add_argument("--n", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    sampling = Sampling(n=args.n)
    rates: dict[tuple[str, bool], list[float]] = {}
    with closing(LlamaCpp(resolve_model(args.model).path)) as engine:
        limit = passage_tokens(engine, sampling.max_tokens)
        read = iter_passages((args.documents,), engine.count_tokens, Lengths(limit))
        texts = [item.text for item in read if isinstance(item, Passage)]
        print("| task | guided | completions | parse | fit | rows/s |\n|---|---|---|---|---|---|")
        for turn in range(args.rounds):
            for task in map(task_type, ("exqa", "ynqa")):
                for guided in (False, True):
                    samples = tuple(Sample(i, i) for i in range(args.n))
                    requests = [
                        Request(
                            str(i),
                            format_prompt(task, text),
                            sampling,
                            samples,
                            shape_of(task, text) if guided else None,
                        )
                        for i, text in enumerate(texts)
                    ]
                    started = perf_counter()
                    done = list(engine.generate(requests))
                    rate = len(done) / (perf_counter() - started)
                    rates.setdefault((task.short, guided), []).append(rate)
                    pairs = [parse_completion(c.text, texts[int(c.request_id)]) for c in done]
                    fit = sum(
                        pair is not None
                        and check(task, pair, texts[int(c.request_id)], c.text) is None
                        for pair, c in zip(pairs, done, strict=True)
                    )
                    if turn == args.rounds - 1:
                        parsed = sum(pair is not None for pair in pairs)
                        median = statistics.median(rates[task.short, guided])
                        print(
                            f"| {task.short} | {'yes' if guided else 'no'} | {len(done)} "
                            f"| {parsed / len(done):.1%} | {fit / len(done):.1%} | {median:.1f} |"
                        )


if __name__ == "__main__":
    main()
