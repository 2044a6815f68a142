"""`bonito-local status`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.progress import describe
from bonito_local.cli.summary import ledger_table
from bonito_local.cli.talk import say, say_line
from bonito_local.jobs.find import find_job
from bonito_local.jobs.state import AT_WORK, JobState, job_state


@click.command("status")
@click.argument("job", shell_complete=jobs)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(job: str, as_json: bool) -> None:
    """Show how far a job is, and how each of its samples ended.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    state = job_state(find_job(job))
    if as_json:
        say(json.dumps(as_plain(state), indent=2))
        return
    say_line(f"{state.output}: {headline(state)}")
    if state.why:
        say(state.why)
    if state.ledger.planned:
        say(ledger_table(state.ledger))
        for count in state.ledger.reasons():
            say(f"  {count.outcome}: {count.reason} ({count.samples})")


def headline(state: JobState) -> str:
    """A job's state in a line: how far, how fast, how long still."""
    ledger, words = state.ledger, [str(state.state)]
    if state.state in AT_WORK and state.progress:
        words.append(f"{state.progress.phase}: {describe(state.progress)}")
        if state.age > 5:
            words.append(f"as of {timedelta(seconds=round(state.age))} ago")
    if ledger.planned:
        words.append(f"{ledger.planned - ledger.pending}/{ledger.planned} samples")
    words.append(f"{state.passages} passages")
    return ", ".join(words)


def as_plain(state: JobState) -> dict[str, object]:
    """A job as `--json` tells of it."""
    return {
        "output": str(Path(state.output).resolve()),
        "state": state.state,
        "why": state.why,
        "run": asdict(state.run) if state.run else None,
        "passages": state.passages,
        "progress": asdict(state.progress) if state.progress else None,
        "seconds_left": state.progress.seconds_left if state.progress else None,
        "ledger": state.ledger.as_json(),
    }
