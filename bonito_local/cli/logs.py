"""`bonito-local logs`."""

from __future__ import annotations

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.talk import say
from bonito_local.jobs.control import read_log
from bonito_local.jobs.find import find_job


@click.command("logs")
@click.argument("job", shell_complete=jobs)
def command(job: str) -> None:
    """Print what the detached workers of a job said; it holds no text of any document.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    say(read_log(find_job(job)), nl=False)
