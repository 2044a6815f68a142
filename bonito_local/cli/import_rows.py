"""`bonito-local import`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say, say_line
from bonito_local.jobs.find import find_job


@click.command("import")
@click.argument("job", shell_complete=jobs)
@click.argument("file", type=click.Path(path_type=Path))
def command(job: str, file: Path) -> None:
    """Take back rows of a job that were reviewed elsewhere.

    FILE is an export as csv or jsonl that was edited, or has its column `id` and any of
    decision (accepted or rejected), decision_reason, input, output, score (1 to 5), tags and
    note. What is empty changes nothing. A file with a line that cannot be taken changes
    nothing at all. JOB is its number in `bonito-local jobs`, its output folder, or its job file.
    """
    folder = find_job(job)
    enter_air_gap(online=False)
    from bonito_local.jobs.importing import import_rows

    done = import_rows(folder, file)
    say(
        f"{done.rows} rows read: {done.changed} changed, of these {done.decided} decided and "
        f"{done.edited} with another text."
    )
    if done.changed:
        say_line(f"`bonito-local export {job}` writes the dataset so.")
