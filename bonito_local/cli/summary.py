"""What a run prints at its end: sample rows, the ledger, what was left out, where the rows are."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bonito_local.cli.table import aligned
from bonito_local.cli.talk import quiet, say, say_line
from bonito_local.jobs.ledger import OUTCOMES, PENDING, Ledger

if TYPE_CHECKING:
    from bonito_local.jobs.generate import Summary

_MOST_PROBLEMS = 20
_SAMPLES = 5


def print_summary(summary: Summary, output: Path) -> None:
    """Print it on stdout; problems go to stderr."""
    if not quiet():
        for line in sample_rows(output / "rows.jsonl", summary.rows):
            say(line)
    if summary.ledger.planned and not quiet():
        say(ledger_table(summary.ledger))
        for count in summary.ledger.reasons():
            say(f"  {count.outcome}: {count.reason} ({count.samples})")
    for problem in summary.problems[:_MOST_PROBLEMS]:
        say_line(f"{problem.source}: {problem.title} {problem.remedy}".strip(), err=True)
    if len(summary.problems) > _MOST_PROBLEMS:
        say_line(f"... {len(summary.problems)} in all, see {output / 'problems.json'}", err=True)
    if summary.ledger.planned:
        rows = "1 row" if summary.rows == 1 else f"{summary.rows} rows"
        say_line(f"{rows} in {output}")


def print_plain(summary: Summary, output: Path) -> None:
    """Print it for programs; the ledger is as `status --json` has it."""
    told = {
        "output": str(output.resolve()),
        "state": summary.ended,
        "rows": summary.rows,
        "ledger": summary.ledger.as_json(),
        "problems": [asdict(problem) for problem in summary.problems],
    }
    say(json.dumps(told, indent=2))


def sample_rows(path: Path, rows: int) -> list[str]:
    """Return up to five rows at even distances, as text that reads without the file."""
    if not rows:
        return []
    wanted = {rows * (2 * i + 1) // (2 * _SAMPLES) for i in range(_SAMPLES)}
    lines: list[str] = []
    with path.open(encoding="utf-8") as file:
        for at, line in enumerate(file):
            if at in wanted:
                lines += _readable(json.loads(line))
    return lines


def _readable(row: dict[str, str]) -> list[str]:
    """The passage once, then the instruction with "[passage]" in its place, and the response."""
    place = f"{row['source']}, page {row['page']}" if row["page"] else row["source"]
    instruction = " ".join(row["input"].replace(row["passage"], "[passage]").split())
    parts = (
        ("passage", textwrap.shorten(row["passage"], 280)),
        ("input", instruction),
        ("output", " ".join(row["output"].split())),
    )
    lines = [f"{row['task_type']} · {place}"]
    for name, text in parts:
        lines += textwrap.wrap(text, 96, initial_indent=f"  {name:8}", subsequent_indent=" " * 10)
    return [*lines, ""]


def ledger_table(ledger: Ledger) -> str:
    """Return the ledger as aligned text: a line for each task and one for all."""
    columns = (*OUTCOMES, PENDING)
    lines = [["task", "planned", *columns]]
    for task in (*ledger.tasks(), None):
        counts = [ledger.total(name, task) for name in columns]
        lines.append([task or "all", *map(str, (sum(counts), *counts))])
    return aligned(lines)
