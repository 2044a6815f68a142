"""`bonito-local retry`."""

from __future__ import annotations

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.talk import say, say_line
from bonito_local.jobs.control import RETRYABLE, retry
from bonito_local.jobs.find import find_job


@click.command("retry")
@click.argument("job", shell_complete=jobs)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    default=("failed",),
    show_default=True,
    type=click.Choice(RETRYABLE),
    help="Which samples; may be given several times.",
)
def command(job: str, outcomes: tuple[str, ...]) -> None:
    """Ask again for samples that failed, or ended otherwise without a row.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. What was
    drawn before is kept in the job; the new sample gets a seed of its own.
    """
    output = find_job(job)
    asked = retry(output, [name for name in RETRYABLE if name in outcomes])
    say(f"{asked} samples are pending again.")
    if asked:
        say_line(f"`bonito-local resume {job}` asks for them.")
