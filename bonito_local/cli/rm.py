"""`bonito-local rm`."""

from __future__ import annotations

import sys

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.talk import say_line
from bonito_local.errors import UsageError
from bonito_local.jobs.find import find_job
from bonito_local.jobs.removal import purge, remove


@click.command("rm")
@click.argument("job", shell_complete=jobs)
@click.option(
    "--purge", "purged", is_flag=True, help="Delete job, dataset and exports, overwritten."
)
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
def command(job: str, purged: bool, yes: bool) -> None:
    """Take a job off the list, or with --purge delete it, its dataset and exports too.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. Without
    --purge its files stay. Exports and reports that -o put elsewhere stay even then: delete
    them yourself. The documents themselves are never touched.
    """
    output = find_job(job, gone=True)
    if not purged:
        remove(output)
        say_line(f"{output} is off the list; its files stay.")
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError("There is nobody to ask.", "Add --yes to delete without being asked.")
    if not yes:
        click.confirm(
            f"Delete the job, its dataset and its exports in {output}?", abort=True, err=True
        )
    for path in purge(output):
        say_line(f"deleted {path}")
