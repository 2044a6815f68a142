"""`bonito-local resume`."""

from __future__ import annotations

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import run_detached, run_here
from bonito_local.jobs.control import read_request
from bonito_local.jobs.find import find_job


@click.command("resume")
@click.argument("job", shell_complete=jobs)
@click.option("--detach", is_flag=True, help="Run in a process that outlives this terminal.")
@click.option("--json", "as_json", is_flag=True, help="How it ended, or its process, for programs.")
def command(job: str, detach: bool, as_json: bool) -> int:
    """Go on with a job that was paused, cancelled or stopped, or broke off.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. What was
    planned is generated; `run` also looks for new documents.
    """
    wanted = read_request(find_job(job))
    start = run_detached if detach else run_here
    return start(wanted, again=False, as_json=as_json)
