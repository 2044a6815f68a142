"""`bonito-local jobs`."""

from __future__ import annotations

import json
import sys

import click

from bonito_local.cli.status import as_plain
from bonito_local.cli.table import aligned
from bonito_local.cli.talk import say, say_line, say_styled
from bonito_local.jobs.state import AT_WORK, Listed, list_jobs
from bonito_local.tui.format import GOOD, STATE_TONES, WARN, count, duration, moment, short_path

_HEAD = ["job", "state", "done", "rows", "last run", "folder"]
_COLOURS = {GOOD: "green", WARN: "yellow", "bad": "red", "accent": "cyan", "dim": "bright_black"}
_WIDTH = 60


@click.command("jobs")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """List the jobs of this user on this machine, each with how far it is."""
    jobs = list_jobs()
    if as_json:
        say(json.dumps([_plain(listed) for listed in jobs], indent=2))
        return
    if not jobs:
        say("There are no jobs. `bonito-local example` makes one, `new` writes a job file.")
        return
    table = aligned([_HEAD, *map(_cells, jobs)], left=(1, 4, 5), gap=2).splitlines()
    say_styled(click.style(table[0], dim=True))
    for line, listed in zip(table[1:], jobs, strict=True):
        state = listed.job.state if listed.job else ""
        coloured = click.style(state, fg=_COLOURS.get(STATE_TONES.get(state, "")))
        say_styled(line.replace(f" {state} ", f" {coloured} ", 1) if state else line)
        if listed.job and listed.job.why:
            say_line(f"     {listed.job.why}")


def _cells(listed: Listed) -> list[str]:
    # Whole where it is not read by people.
    folder = short_path(listed.output, _WIDTH if sys.stdout.isatty() else sys.maxsize)
    job = listed.job
    if job is None:
        return [str(listed.id), "?", "", "", "", f"{folder}: {listed.why}"]
    done = f"{job.ledger.planned - job.ledger.pending}/{job.ledger.planned}"
    left = job.progress.seconds_left if job.progress and job.state in AT_WORK else None
    when = f"{duration(left)} left" if left is not None else ""
    if job.run and not when:
        when = moment(job.run.ended or job.run.started)
    return [str(listed.id), job.state, done, count(job.ledger.accepted), when, folder]


def _plain(listed: Listed) -> dict[str, object]:
    if listed.job is None:
        told = {"output": str(listed.output), "state": None, "why": listed.why}
        return {"id": listed.id, **told}
    return {"id": listed.id, **as_plain(listed.job)}
