"""`bonito-local cancel`."""

from __future__ import annotations

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.pause import stop
from bonito_local.cli.talk import say_line


@click.command("cancel")
@click.argument("job", shell_complete=jobs)
def command(job: str) -> None:
    """Stop a job for good; the rows it has stay, and `resume` would go on all the same.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    say_line(f"Cancelled: {stop(job, 'cancel')}.")
