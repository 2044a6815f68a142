"""`bonito-local report`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say_line
from bonito_local.jobs.find import find_job


@click.command("report")
@click.argument("job", shell_complete=jobs)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.")
def command(job: str, output: Path | None) -> None:
    """Write a page about a job's dataset: what is in it, how it came about, what to mind.

    It is one HTML file that opens without a network: OUT/report.html, or the one named.
    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    folder = find_job(job)
    enter_air_gap(online=False)
    from bonito_local.jobs.report import write_report

    say_line(f"The report is {write_report(folder, output)}")
