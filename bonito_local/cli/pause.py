"""`bonito-local pause`."""

from __future__ import annotations

import click

from bonito_local.errors import JobError
from bonito_local.jobs.control import ask, find_job


@click.command("pause")
@click.argument("job")
def command(job: str) -> None:
    """Stop a running job with everything kept that had finished.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    `bonito-local resume` goes on with it.
    """
    output = find_job(job)
    if not ask(output, "pause"):
        raise JobError(
            f"The job in {output} has not stopped yet.", "It will after the rows it is drawing."
        )
    click.echo(f"Paused: {output}. `bonito-local resume {job}` goes on.")
