"""`bonito-local export`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say_line
from bonito_local.exports.dataset import Written
from bonito_local.exports.formats import FORMATS
from bonito_local.exports.splits import parse_split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exporting import export, export_again
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.find import find_job
from bonito_local.jobs.jobfile import read_job

_FORMATS = "\b\n" + "\n".join(f"{form.name:19}{form.meaning}" for form in FORMATS)


@click.command("export", epilog=f"Formats:\n\n{_FORMATS}")
@click.argument("job", shell_complete=jobs)
@click.option("-f", "--format", "form", help="One of those below.  [default: hf]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--split", help="Shares by document: 90/10, or 90/5/5 (train, validation, test).")
@click.option("--task", help="Only these task types, comma-separated.")
@click.option("--outcome", help="Rows that the checks gave these outcomes, comma-separated.")
@click.option("--decision", help="Rows that a person accepted, rejected, any or none decided on.")
@click.option("--strip-source", is_flag=True, help="Leave out all that says where a row came from.")
def command(
    job: str,
    form: str | None,
    output: Path | None,
    split: str | None,
    task: str | None,
    outcome: str | None,
    decision: str | None,
    strip_source: bool,
) -> None:
    """Write a job's dataset again, as its rows were reviewed, or export it in another format.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. Without an
    option the dataset and the exports of the job file are written where they are; with one,
    an export to the folder given, or to exports/FORMAT in the job's.
    """
    folder = find_job(job)
    if not (form or output or split or task or outcome or decision or strip_source):
        enter_air_gap(online=False)
        # What the file says now, whatever it said when it was run.
        asked = read_job(Path(job)).exports if Path(job).is_file() else None
        for made in export_again(folder, asked):
            _tell(made)
        return
    choice = Choice(_names(task), _names(outcome), decision or "")
    wanted = Export(form or "hf", parse_split(split or ""), choice, strip_source)
    enter_air_gap(online=False)
    _tell(export(folder, wanted, output))


def _names(listed: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (listed or "").split(",") if name.strip())


def _tell(made: Written) -> None:
    parts = ", ".join(f"{name} {count}" for name, count in made.rows.items())
    splits = f" ({parts})" if len(made.rows) > 1 else ""
    rows = "1 row" if made.total == 1 else f"{made.total} rows"
    say_line(f"{rows}{splits} in {made.folder}")
    for text in made.warnings:
        say_line(f"warning: {text}", err=True)
