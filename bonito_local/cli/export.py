"""`bonito-local export`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.foreground import enter_air_gap
from bonito_local.jobs.control import export
from bonito_local.jobs.find import find_job


@click.command("export")
@click.argument("job")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Another folder than the job's."
)
def command(job: str, output: Path | None) -> None:
    """Write a job's dataset again, as its rows were reviewed.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    folder = find_job(job)
    enter_air_gap(online=False)
    rows = export(folder, output)
    click.echo(f"{rows} rows in {output or folder}")
