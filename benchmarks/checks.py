"""What the checks are worth: how many of bonito-tiny's rows are right, before and after them.

    python benchmarks/checks.py rows --data-dir DATA -o rows.jsonl
    python benchmarks/checks.py report rows.jsonl

`rows` draws exqa and ynqa rows from passages that bonito-tiny was not trained on, of SQuADShifts
(Amazon and Reddit) and PubMedQA, one at a time so that they come out the same again. `report` joins
them with `checks_labels.csv`: hashes of rows, and whether one who read passage, instruction and
response found the row right:

    right   the instruction asks something that can be understood and that the passage answers,
            and the response is that answer, without words that do not belong to it
    wrong   anything else

The labels were given before the checks were run on the rows. A row whose hash has no label (another
machine may round otherwise) is not counted. Precision is the share of right rows among those kept;
recall the share of right rows that are kept.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from time import perf_counter
from typing import Any

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.rules import check, findings
from bonito_local.checks.sketch import sketch
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.prompts import BONITO
from bonito_local.jobs.scoretable import Unscored
from bonito_local.jobs.scoring import score_rows
from bonito_local.models.catalog import resolve_model
from bonito_local.tasks import TASK_TYPES, Pair, format_prompt, parse_completion, task_type

LABELS = Path(__file__).with_name("checks_labels.csv")
WORDS = 55  # of a passage: bonito-tiny was trained on 30 to 60
PASSAGES = 26  # of each of the three sets
FILES = {"amazon": "amazon_reviews_v1.0.json", "reddit": "reddit_v1.0.json"}
TASKS = ("exqa", "ynqa")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("rows")
    drawing.add_argument("--data-dir", type=Path, required=True)
    drawing.add_argument("-o", "--output", type=Path, required=True)
    report = commands.add_parser("report")
    report.add_argument("rows", type=Path)
    args = parser.parse_args()
    if args.command == "rows":
        draw(list(passages(args.data_dir)), args.output)
    else:
        show([json.loads(line) for line in args.rows.read_text().splitlines()])


def passages(data: Path) -> Iterator[str]:
    """The first sentences of paragraphs drawn from each set."""
    for name in ("amazon", "reddit", "pubmedqa"):
        drawn = random.Random(f"{name} second").sample(paragraphs(data / "eval", name), PASSAGES)
        for text in drawn:
            kept: list[str] = []
            for sentence in re.split(r"(?<=[.!?])\s+", text.strip()):
                if kept and len(" ".join([*kept, sentence]).split()) > WORDS:
                    break
                kept.append(sentence)
            yield " ".join(kept)


def paragraphs(data: Path, name: str) -> list[str]:
    if name == "pubmedqa":
        entries = json.loads((data / "pubmedqa" / "ori_pqal.json").read_text()).values()
        return sorted({text for entry in entries for text in entry["CONTEXTS"]})
    articles = json.loads((data / "squadshifts" / FILES[name]).read_text())["data"]
    return sorted({p["context"] for article in articles for p in article["paragraphs"]})


def draw(texts: list[str], output: Path) -> None:
    sampling = Sampling()
    with closing(LlamaCpp(resolve_model("bonito-tiny").path, Settings(n_seq=1))) as engine:
        asked = {
            f"{at}/{task}": Request(
                f"{at}/{task}", format_prompt(task_type(task), text), sampling, (Sample(0, at),)
            )
            for at, text in enumerate(texts)
            for task in TASKS
        }
        with output.open("w") as lines:
            for done in engine.generate(asked.values()):
                at, task = done.request_id.split("/")
                row = {"task": task, "passage": texts[int(at)], "completion": done.text}
                lines.write(json.dumps(row) + "\n")


def digest(row: dict[str, Any], pair: Pair) -> str:
    return f"{row['task']}:{pair_digest(pair).hex()}"


def show(rows: list[dict[str, Any]]) -> None:
    with LABELS.open() as file:
        labels = {line["row"]: line["label"] == "right" for line in csv.DictReader(file)}
    parsed = []
    for row in rows:
        pair = parse_completion(row["completion"], row["passage"])
        if pair is not None and (label := labels.get(digest(row, pair))) is not None:
            parsed.append((row, pair, label))
    print(f"{len(rows)} completions, {len(parsed)} rows with a label, of {len(labels)} labels")
    found, seconds = [], 0.0
    for row, pair, _ in parsed:
        started = perf_counter()
        task = task_type(row["task"])
        found.append(list(findings(task, pair, row["passage"], row["completion"])))
        seconds += perf_counter() - started
    for task in (*TASKS, "all"):
        table(
            [
                (f, r[2])
                for f, r in zip(found, parsed, strict=True)
                if task in (r[0]["task"], "all")
            ],
            task,
        )
    print(f"rules: {1e3 * seconds / len(parsed):.2f} ms a row")
    started = perf_counter()
    for row, pair, _ in parsed:
        sketch(pair, row["passage"], 0.8)
    print(f"sketch: {1e3 * (perf_counter() - started) / len(parsed):.2f} ms a row")

    started = perf_counter()
    scored = scores([(row, pair) for row, pair, _ in parsed])
    print(f"scores: {1e3 * (perf_counter() - started) / len(parsed):.0f} ms a row")
    print("\n| selection | kept | right | precision | recall |\n|---|---|---|---|---|")
    right = sum(label for *_, label in parsed)
    passed = [not reasons for reasons in found]
    thresholds = Thresholds(question_overlap=0.5)
    near = [
        check(task_type(row["task"]), pair, row["passage"], row["completion"], thresholds) is None
        for row, pair, _ in parsed
    ]
    select("all rows", [True] * len(parsed), parsed, right)
    select("rules", passed, parsed, right)
    select("rules, question_overlap 0.5", near, parsed, right)
    for name, least in (
        *(("agreement", 0.5), ("agreement", 1.0), ("support", -0.3), ("support", -0.2)),
        *(("support", -0.1), ("gain", 0.0), ("gain", 2.0), ("gain", 4.0)),
    ):
        kept = [ok and s[name] >= least for s, ok in zip(scored, passed, strict=True)]
        select(f"rules, {name} {least} or more", kept, parsed, right)


def select(name: str, kept: list[bool], rows: list[Any], right: int) -> None:
    among = [row[2] for row, keep in zip(rows, kept, strict=True) if keep]
    print(
        f"| {name} | {len(among)} | {sum(among)} | {sum(among) / max(1, len(among)):.1%} "
        f"| {sum(among) / right:.1%} |"
    )


def scores(rows: list[tuple[dict[str, Any], Pair]]) -> list[dict[str, float]]:
    """The scores of `bonito-local score`, drawn one at a time so that they come out the same."""
    types = {task.short: task for task in TASK_TYPES}
    asked = [
        Unscored(at, 0, row["task"], row["passage"], row["completion"], *astuple(pair))
        for at, (row, pair) in enumerate(rows)
    ]
    path = resolve_model("bonito-tiny").path
    with closing(LlamaCpp(path, Settings(n_seq=1))) as engine, closing(Scorer(engine)) as scorer:
        return score_rows(engine, scorer, BONITO, types, asked)


def table(rows: list[tuple[list[str], bool]], task: str) -> None:
    """Print what each check rejects, then all of them together."""
    right = sum(label for _, label in rows)
    print(f"\n{task}\n\n| check | rejected | of them right | precision | recall |")
    print("|---|---|---|---|---|")
    print(f"| none | 0 | 0 | {right / len(rows):.1%} | 100.0% |")
    reasons = sorted({reason for found, _ in rows for reason in found})
    for name in (*reasons, "all"):
        out = [label for found, label in rows if name in found or (name == "all" and found)]
        kept = len(rows) - len(out)
        print(
            f"| {name} | {len(out)} | {sum(out)} | {(right - sum(out)) / kept:.1%} "
            f"| {1 - sum(out) / right:.1%} |"
        )


if __name__ == "__main__":
    main()
