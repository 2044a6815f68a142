"""`bonito-local score`."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.progress import reporter
from bonito_local.cli.talk import say, say_line
from bonito_local.errors import UsageError
from bonito_local.exports.row import SCORES
from bonito_local.jobs.control import read_request
from bonito_local.jobs.find import find_job
from bonito_local.jobs.scoring import score_job
from bonito_local.jobs.selection import Selection, check_selection
from bonito_local.jobs.signals import StopSignals


@click.command("score")
@click.argument("job", shell_complete=jobs)
@click.option("--least", multiple=True, metavar="SCORE=NUMBER", help="Only rows with so much.")
@click.option("--best", default=0, help="Only the best rows of each passage and task type.")
@click.option("--by", default="agreement", type=click.Choice(SCORES), help="What --best goes by.")
@click.option("--balance", is_flag=True, help="As many rows of each label.")
@click.option("--all", "everything", is_flag=True, help="Select nothing any more.")
def command(
    job: str, least: tuple[str, ...], best: int, by: str, balance: bool, everything: bool
) -> int:
    """Score a job's accepted rows by the model that wrote them, and write its dataset anew.

    agreement: how alike three more answers of the model are to the row's, 0 to 1. support: mean
    log-probability of the response's tokens. gain: how much less likely they are without the
    passage. JOB is its number in `bonito-local jobs`, its output folder, or its job file.

    Scores are kept, rows that have them are not scored again; what is not selected stays in
    the job. Without an option the last selection holds.
    """
    wanted = None
    if everything and (least or best or balance):
        raise UsageError("--all selects nothing.", "Leave out --all, or what selects.")
    if least or best or balance or everything:
        wanted = Selection(dict(map(_least, least)), best, by, balance)  # type: ignore[arg-type]
        check_selection(wanted)
    folder = find_job(job)
    made = read_request(folder)
    enter_air_gap(False, made)
    with chdir(made.folder or Path()), StopSignals() as signals, reporter() as shown:
        rows = score_job(made, wanted, shown.show, signals.stop)
    if rows is None:
        say("Stopped. The same command goes on from here.", err=True)
        return signals.exit_status
    say_line(f"{'1 row' if rows == 1 else f'{rows} rows'} in {folder}")
    return 0


def _least(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise UsageError(f"--least {text!r} is no score.", "Write --least agreement=0.5") from None
