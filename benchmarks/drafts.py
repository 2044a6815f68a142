"""How many drafted tokens real rows keep, and what that gains when few sequences run.

    python benchmarks/drafts.py [--model FILE.gguf] [--documents examples/documents]

Rows are drawn at the product's defaults from the documents, once for each number of sequences
and drafted tokens. `kept` is the mean number of drafted tokens that a step keeps; it depends on
the rows, not on the machine, and the tuner takes it from here.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.models.catalog import resolve_model
from bonito_local.models.fit import passage_tokens
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage
from bonito_local.tasks import format_prompt, task_type


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tests/data/bonito-tiny.gguf")
    parser.add_argument("--documents", type=Path, default=Path("examples/documents"))
    parser.add_argument("--sequences", default="1,4,16")
    parser.add_argument("--drafts", default="0,2,4")
    args = parser.parse_args()
    path, sampling = resolve_model(args.model).path, Sampling()
    print("| sequences | draft | kept a step | tokens/s | of no draft |\n|---|---|---|---|---|")
    for n_seq in map(int, args.sequences.split(",")):
        plain = 0.0
        for draft in map(int, args.drafts.split(",")):
            with closing(LlamaCpp(path, Settings(n_seq=n_seq, draft=draft))) as engine:
                limit = passage_tokens(engine, sampling.max_tokens)
                read = iter_passages((args.documents,), engine.count_tokens, Lengths(limit))
                texts = [item.text for item in read if isinstance(item, Passage)]
                requests = [
                    Request(
                        f"{i} {task}",
                        format_prompt(task_type(task), text),
                        sampling,
                        (Sample(0, i),),
                    )
                    for i, text in enumerate(texts)
                    for task in ("exqa", "ynqa")
                ]
                list(engine.generate(requests))
                stats = engine.stats
            drawn = stats.completion_tokens
            rate = drawn / (stats.decode_seconds + stats.sample_seconds)
            plain = plain or rate
            kept = stats.kept / (drawn - stats.kept)
            print(
                f"| {n_seq} | {draft} | {kept:.2f} | {rate:.0f} | {rate / plain:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
