"""Writes the second training's rows: those whose question keeps to its sentence, and taught ones.

A small model's question is right far more often where it has most of its sentence's words
(benchmarks/RESULTS.md), so it is trained on such questions last. Taught rows are those that a
larger model wrote, and the product accepted, on texts of kinds that people wrote no questions on.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

import outputs

from bonito_local.checks.answers import question_in
from bonito_local.writing.evidence import said

_LEAST_SAID, _LEAST_TAUGHT = 0.4, 0.25  # of a sentence's content, the answer not counted
_TIMES = 3  # each taught row is trained on
_FEWEST = 2  # rows worth a passage's tokens

Row = dict[str, str]


def close(row: Row) -> bool:
    """Whether a row keeps to its sentence, or need not."""
    told = outputs.parse(row["output"])
    if row["task"] not in ("exqa", "mcqa", "ynqa", "nli") or told.get("Label") == "neutral":
        return True
    asked = told.get("Question") or told["Statement"]
    return said(asked, told["Sentence"], told.get("Answer", "")) >= _LEAST_SAID


def closest(rows: Path, rng: Random) -> Iterator[list[Row]]:
    """Yield the groups of a mix without the rows that keep too little of their sentence."""
    with rows.open(encoding="utf-8") as file:
        for _, group in groupby(map(json.loads, file), key=lambda row: row["input"]):
            every = list(group)
            kept = [row for row in every if row["task"] != "answer" and close(row)]
            if len(kept) >= _FEWEST or any(row["task"] == "summarization" for row in kept):
                reading = [row for row in every if row["task"] == "answer"]
                yield kept + rng.sample(reading, min(1, len(reading)))


def taught(dataset: Path) -> Iterator[list[Row]]:
    """Yield groups of rows that a larger model wrote: `dataset` is a job's rows.jsonl."""
    with dataset.open(encoding="utf-8") as file:
        for text, group in groupby(map(json.loads, file), key=lambda row: row["passage"].strip()):
            written = [(row["task_type"], _output(row, text)) for row in group]
            yield [
                {"input": outputs.prompt(text), "output": out, "task": task, "source": "taught"}
                for task, out in written
                if out
            ]


def _output(row: Row, text: str) -> str:
    """Return a row in the form of the mix, or nothing where it has none."""
    question = " ".join(question_in(row["input"].replace(text, " ")).split())
    sentence, answer = row["evidence"] or "", row["output"]
    match row["task_type"]:
        case "exqa" if answer in sentence and said(question, sentence, answer) >= _LEAST_TAUGHT:
            return outputs.exqa(sentence, answer, question)
        case "ynqa" if answer == "yes":  # a "no" is of a sentence that was changed
            return outputs.ynqa(sentence, answer, question)
        case "qa":
            return outputs.qa(sentence, question, answer)
        case "summarization":
            return outputs.summarization(answer)
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="The first training's.")
    parser.add_argument("--taught", type=Path, help="rows.jsonl of a job.")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = Random(3)
    groups = [
        *closest(args.rows, rng),
        *(list(taught(args.taught)) * _TIMES if args.taught else []),
    ]
    rng.shuffle(groups)
    counts: Counter[Any] = Counter()
    part = args.out.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        for row in (row for group in groups for row in group):
            counts[row["task"]] += 1
            print(json.dumps(row, ensure_ascii=False), file=file)
    part.replace(args.out)
    print(json.dumps({"rows": counts.total(), "tasks": counts}, indent=1))


if __name__ == "__main__":
    main()
