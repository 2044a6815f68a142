"""`bonito-local cancel`."""

from __future__ import annotations

import click

from bonito_local.errors import JobError
from bonito_local.jobs.control import ask, find_job


@click.command("cancel")
@click.argument("job")
def command(job: str) -> None:
    """Stop a job for good; the rows it has stay, and `resume` would go on all the same.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    output = find_job(job)
    if not ask(output, "cancel"):
        raise JobError(
            f"The job in {output} has not stopped yet.", "It will after the rows it is drawing."
        )
    click.echo(f"Cancelled: {output}.")
