"""What the checks are worth: how many rows are right before and after each of them.

    python benchmarks/right_rows.py sheet job -o sheet.jsonl --rows 120 --dropped 60
    python benchmarks/checks.py verdicts sheet.jsonl --verifier MODEL.gguf -o verdicts.csv
    python benchmarks/checks.py report job sheet.jsonl labels.csv [--verdicts verdicts.csv]

The sheet has rows that the job's checks accepted and rows that they rejected, mixed; `labels.csv`
says which of them a reader, who did not know the model or the outcome, called right. `report`
counts each labelled row as often as there are rows of its kind in the job, so that the shares are
those of all rows that the job wrote. `verdicts` puts each row's question to a second model.

Precision is the share of right rows among those kept, recall the share of all right rows that are
kept. With --half only every other row is counted: a threshold is chosen on one half and reported on
the other.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from right_rows import attempts, read_labels, shown

from bonito_local.backends.base import Plan, Request, Sample, Sampling
from bonito_local.backends.registry import open_backend
from bonito_local.jobs.exchange import NOT_REPRODUCED, rereading
from bonito_local.jobs.prompts import writer_of
from bonito_local.jobs.retrieval import UNFINDABLE
from bonito_local.models.catalog import resolve_model
from bonito_local.models.fit import metadata
from bonito_local.tasks import PIPE, task_type
from bonito_local.writing import evidence, instruct
from bonito_local.writing.claims import agrees, claim_of_row
from bonito_local.writing.thinking import answer_of
from bonito_local.writing.writer import Assignment, Claim

# In the order in which a job asks them.
STAGES = ("rules", "rules of the writer", "search", "second reading")
_OF_WRITER = (
    *(evidence.TOO_LITTLE, evidence.TOO_MUCH, evidence.UNLIKELY),
    *(instruct.COPIED, instruct.UNCHANGED, instruct.OUTSIDE),
)


@dataclass(frozen=True, slots=True)
class Read:
    """A row that was read: the stage that rejected it, and for how many rows it stands.

    `agreed` is a second model's verdict, None where it was not asked.
    """

    task: str
    stage: str
    right: bool
    weight: float
    agreed: bool | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("verdicts")
    asking.add_argument("sheet", type=Path)
    asking.add_argument("--verifier", required=True)
    asking.add_argument("-o", "--output", type=Path, required=True)
    report = commands.add_parser("report")
    report.add_argument("job", type=Path)
    report.add_argument("sheet", type=Path)
    report.add_argument("labels", type=Path)
    report.add_argument("--verdicts", type=Path)
    report.add_argument("--half", type=int, choices=(0, 1))
    args = parser.parse_args()
    if args.command == "verdicts":
        rows = [json.loads(line) for line in args.sheet.read_text().splitlines()]
        with args.output.open("w") as file:
            print("id,agreed", file=file)
            for identity, agreed in verdicts(rows, args.verifier):
                print(f"{identity},{int(agreed)}", file=file, flush=True)
    else:
        read = list(weighed(args.job, args.labels, args.verdicts, args.half))
        for task in sorted({row.task for row in read}):
            table(task, [row for row in read if row.task == task])
        table("all", read)


def verdicts(rows: list[dict[str, Any]], verifier: str) -> Iterator[tuple[str, bool]]:
    """Yield whether a second model answers a row's question as the row does."""
    model = resolve_model(verifier)
    plan = Plan(model_sha256=model.sha256, n=1, tune=False)
    with closing(open_backend("llamacpp", model.path, plan)) as backend:
        writer = writer_of("auto", metadata(backend))
        claims: dict[str, Claim] = {}
        requests = []
        for row in rows:
            task = task_type(row["task_type"])
            written = f"{row['input']}\n{PIPE}\n{row['output']}"
            claim = claim_of_row(task, row["passage"], written.replace("[passage]", ""))
            ask = claim and writer.reread(Assignment(task, row["passage"]), claim)
            if claim and ask:
                claims[row["id"]] = claim
                sampling = rereading(Sampling(), ask)
                requests.append(
                    Request(row["id"], ask.prompt, sampling, (Sample(0, 0),), ask.shape)
                )
        for done in backend.generate(requests):
            answer = answer_of(done.text, "Answer:").strip()
            yield done.request_id, agrees(claims[done.request_id], answer)


def stage_of(reason: str) -> str:
    """Return which stage rejects a row for a reason; empty for an accepted row."""
    if not reason:
        return ""
    if reason in (UNFINDABLE, NOT_REPRODUCED):
        return STAGES[2 + (reason == NOT_REPRODUCED)]
    return STAGES[1] if reason in _OF_WRITER else STAGES[0]


def weighed(job: Path, labels: Path, verdicts: Path | None, half: int | None) -> Iterator[Read]:
    """Yield the rows of a job that were read, each weighed by how many it stands for."""
    right = read_labels(labels)
    agreed = {}
    if verdicts:
        with verdicts.open() as file:
            agreed = {line["id"]: line["agreed"] == "1" for line in csv.DictReader(file)}
    written, read = Counter[tuple[str, str]](), dict[str, tuple[str, str]]()
    for row in attempts(job):
        group = (row["task_type"], stage_of(row["reason"]))
        written[group] += 1
        identity = shown(row)["id"]
        if identity in right and (half is None or int(identity[:4], 16) % 2 == half):
            read[identity] = group
    counts = Counter(read.values())
    for identity, (task, stage) in read.items():
        weight = written[task, stage] / counts[task, stage]
        yield Read(task, stage, right[identity], weight, agreed.get(identity))


def table(task: str, rows: list[Read]) -> None:
    """Print what each stage leaves, after all before it, and what a second model would."""
    whole = sum(row.weight for row in rows if row.right)
    print(f"\n{task}: {len(rows)} rows read\n\n| kept by | rows | precision | recall |")
    print("|---|---|---|---|")
    left = rows
    _line("nothing", left, whole)
    for at, stage in enumerate(STAGES):
        left = [row for row in left if row.stage != stage]
        _line(f"{'and ' if at else ''}{stage}", left, whole)
        if stage == "search" and any(row.agreed is not None for row in rows):
            _line("... and another model", [row for row in left if row.agreed], whole)
    if any(row.agreed is not None for row in rows):
        _line("and another model", [row for row in left if row.agreed], whole)


def _line(name: str, rows: list[Read], whole: float) -> None:
    kept = sum(row.weight for row in rows)
    right = sum(row.weight for row in rows if row.right)
    print(f"| {name} | {kept:.0f} | {right / max(kept, 1e-9):.0%} | {right / whole:.0%} |")


if __name__ == "__main__":
    main()
