"""`bonito-local pause`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.talk import say_line
from bonito_local.errors import JobError
from bonito_local.jobs.control import ask
from bonito_local.jobs.find import find_job
from bonito_local.jobs.journal import Wish


@click.command("pause")
@click.argument("job", shell_complete=jobs)
def command(job: str) -> None:
    """Stop a running job with everything kept that had finished.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    `bonito-local resume` goes on with it.
    """
    say_line(f"Paused: {stop(job, 'pause')}. `bonito-local resume {job}` goes on.")


def stop(job: str, wish: Wish) -> Path:
    """Have the worker of a job stop, and return the job's output.

    Raises:
        JobError: none works on it, or it takes long.
    """
    output = find_job(job)
    if not ask(output, wish):
        raise JobError(
            f"The job in {output} has not stopped yet.",
            "It will once its dataset is written. One that answers to nothing is ended by "
            "`bonito-local cancel`, or else by the system's own means (kill -9).",
        )
    return output
