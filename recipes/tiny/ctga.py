"""Writes the CTGA-style mix as JSON lines in Bonito's prompt format, for the Q-LoRA trainer."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import islice
from pathlib import Path

import corpus
from mix import Mixer

from bonito_local.tasks import PIPE, format_prompt, task_type


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    mixer = Mixer(corpus.load(args.data_dir)[0], args.seed)
    tasks: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    with args.out.open("w") as file:
        for row in islice(mixer.rows(), args.rows):
            line = {
                "input": format_prompt(task_type(row.task), row.passage),
                "output": f"{row.instruction}\n{PIPE}\n{row.response}",
                "task_type": row.task,
                "source": row.source,
            }
            print(json.dumps(line, ensure_ascii=False), file=file)
            tasks[row.task] += 1
            sources[row.source] += 1
    print(json.dumps({"tasks": tasks, "sources": sources, "drawn_again": mixer.dropped}, indent=2))


if __name__ == "__main__":
    main()
