"""`bonito-local coverage`."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say, say_line
from bonito_local.jobs.coverage import coverage
from bonito_local.jobs.find import find_job
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.store import Store


@click.command("coverage")
@click.argument("job", shell_complete=jobs)
@click.option("--missing", is_flag=True, help="The sentences that no row is about, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a line for each document.")
def command(job: str, missing: bool, as_json: bool) -> None:
    """Say how much of a job's documents became rows.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. Counted are the
    sentences worth a row, and those of them that an accepted row is about. `generate --cover` plans
    a row for each.
    """
    folder = find_job(job)
    enter_air_gap(online=False)
    with closing(Store(store_path(folder), create=False)) as store:
        found = list(coverage(store))
    for one in found:
        if as_json:
            say(json.dumps(asdict(one), ensure_ascii=False))
            continue
        say_line(_line(one.touched, one.sentences, one.source))
        for text in one.missing if missing else ():
            say_line(f"{'':>14}{text}")
    if not as_json and len(found) != 1:
        touched, whole = sum(one.touched for one in found), sum(one.sentences for one in found)
        say_line(_line(touched, whole, "sentences of all documents"))


def _line(part: int, whole: int, what: str) -> str:
    share = f"{part / whole:>4.0%}" if whole else "    "
    return f"{part:>5} of {whole:<5} {share}  {what}"
