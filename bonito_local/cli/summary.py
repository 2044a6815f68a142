"""What a run prints at its end: the ledger, the documents left out, and where the rows are."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.jobs.generate import Summary
from bonito_local.jobs.ledger import OUTCOMES, PENDING, Ledger

_MOST_PROBLEMS = 20


def print_summary(summary: Summary, output: Path) -> None:
    """Print it on stdout; problems go to stderr."""
    if summary.ledger.planned:
        click.echo(ledger_table(summary.ledger))
        for count in summary.ledger.reasons():
            click.echo(f"  {count.outcome}: {count.reason} ({count.samples})")
    for problem in summary.problems[:_MOST_PROBLEMS]:
        click.echo(
            f"left out: {problem.source}: {problem.title} {problem.remedy}".strip(), err=True
        )
    if len(summary.problems) > _MOST_PROBLEMS:
        click.echo(f"... {len(summary.problems)} in all, see {output / 'problems.json'}", err=True)
    if summary.ledger.planned:
        click.echo(f"{summary.rows} rows in {output}")


def ledger_table(ledger: Ledger) -> str:
    """Return the ledger as aligned text: a line for each task and one for all."""
    columns = (*OUTCOMES, PENDING)
    lines = [["task", "planned", *columns]]
    for task in (*ledger.tasks(), None):
        counts = [ledger.total(name, task) for name in columns]
        lines.append([task or "all", *map(str, (sum(counts), *counts))])
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        " ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
