"""`bonito-local jobs`."""

from __future__ import annotations

import click

from bonito_local.cli.status import headline
from bonito_local.jobs.state import list_jobs


@click.command("jobs")
def command() -> None:
    """List the jobs of this user on this machine, each with how far it is."""
    jobs = list_jobs()
    width = max((len(str(listed.id)) for listed in jobs), default=1)
    for listed in jobs:
        what = headline(listed.job) if listed.job else f"not readable: {listed.why}"
        click.echo(f"{listed.id:>{width}}  {listed.output}: {what}")
    if not jobs:
        click.echo("There are no jobs. `bonito-local new` writes a job file.")
