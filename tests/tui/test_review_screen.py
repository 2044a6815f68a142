"""Review by keyboard: what is decided is in the store, and in the dataset."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest
from app_jobs import finished_job
from driving import drive, on, shows, text_of, until
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from bonito_local.jobs.chosen import Reviewed
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.review import open_review
from bonito_local.jobs.rows import Filter, Shown
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.pager import PAGE, Pager
from bonito_local.tui.screens.review import ReviewScreen
from bonito_local.tui.widgets.grid import Grid


def row(output: Path, number: int) -> Shown:
    review = open_review(output)
    try:
        return review.page([number])[0]
    finally:
        review.close()


def reviewed(output: Path) -> Reviewed:
    review = open_review(output)
    try:
        return review.reviewed()
    finally:
        review.close()


async def opened(app: BonitoApp, pilot: Pilot[None], output: Path) -> ReviewScreen:
    screen = ReviewScreen(output)
    app.push_screen(screen)
    await until(pilot, lambda: screen.query(Grid) and screen.row is not None)
    return screen


def test_rows_are_decided_on_by_keys_and_undone(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        assert list(screen.pager.numbers) == [1, 2, 5, 6, 9, 10]
        await pilot.press("a")
        assert screen.query_one(Grid).cursor == 1
        await pilot.press("r", "2")
        await on(pilot, "ReviewScreen")
        await pilot.press("4", "t")
        await on(pilot, "AskText")
        await pilot.press(*"rent", "enter")
        await until(pilot, lambda: row(job, 5).tags == "rent")
        assert row(job, 1).decision == "accepted"
        assert (row(job, 2).decision, row(job, 2).why) == ("rejected", "unclear")
        assert row(job, 5).score == 4
        await shows(pilot, "1 accepted  1 rejected")
        await pilot.press("u", "u", "u")
        await until(pilot, lambda: reviewed(job) == Reviewed(1, 0, 0))
        assert (row(job, 5).score, row(job, 5).tags) == (None, "")
        await until(pilot, lambda: screen.query_one(Grid).cursor == 1)
        await pilot.press("u", "u")
        await until(pilot, lambda: reviewed(job) == Reviewed(0, 0, 0))

    drive(script, (80, 24))


def test_a_row_is_edited_and_exported(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        await pilot.press("e")
        await on(pilot, "EditDialog")
        app.screen.query_one("#response", TextArea).text = "a better answer"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: row(job, 1).edited)
        await until(pilot, lambda: screen.row is not None and screen.row.edited)
        await shows(pilot, "a better answer")
        await pilot.press("down", "r", "1")
        await until(pilot, lambda: reviewed(job).rejected == 1)
        await pilot.press("x")
        await on(pilot, "ExportScreen")
        await pilot.press("ctrl+s")
        await shows(pilot, "5 rows in")

    drive(script)
    lines = (job / "rows.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["output"] == "a better answer"
    assert len(lines) == 5


def test_a_row_without_text_is_not_accepted(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        screen.show_filter(Filter(outcome="unparseable"))
        await until(pilot, lambda: screen.row is not None and screen.row.id == 4)
        await pilot.press("a")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "no instruction and response")
        await pilot.press("escape")
        assert row(job, 4).decision == ""

    drive(script)


def test_rows_are_filtered_and_searched(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        await pilot.press("f")
        await on(pilot, "FilterDialog")
        await pilot.press("tab", "tab", "tab", "tab")
        assert isinstance(app.focused, Input)
        await pilot.press(*"number 8", "enter")
        await until(pilot, lambda: list(screen.pager.numbers) == [9])
        await pilot.press("slash")
        await on(pilot, "AskText")
        await pilot.press("ctrl+u", *"nothing like it", "enter")
        await until(pilot, lambda: len(screen.pager.numbers) == 0)
        await shows(pilot, "No such rows")
        await pilot.press("a", "e", "4", "u")  # nothing to decide on is no error
        await on(pilot, "ReviewScreen")

    drive(script)


def test_all_rows_of_a_filter_are_rejected_and_that_is_one_step(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, job)
        await pilot.press("R")
        await on(pilot, "Confirm")
        await pilot.press("y")
        await until(pilot, lambda: reviewed(job).rejected == 6)
        await pilot.press("u")
        await until(pilot, lambda: reviewed(job).rejected == 0)

    drive(script)


def test_the_source_shows_the_neighbours(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, job)
        await pilot.press("down", "enter")
        await on(pilot, "SourceDialog")
        await shows(pilot, "Passage number 0.")
        await shows(pilot, "Passage number 2.")
        await pilot.press("escape")

    drive(script)


def test_a_long_review_reads_only_the_pages_in_sight(home: Path) -> None:
    output = finished_job(home / "long", 1200)

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, output)
        await until(pilot, lambda: len(screen.pager.numbers) == 600)
        await pilot.press("end")
        await until(pilot, lambda: screen.row is not None and screen.row.id == 1198)
        assert sorted(screen.pager._pages) == [0, 5]
        await pilot.press("home")
        await until(pilot, lambda: screen.row is not None and screen.row.id == 1)

    drive(script)


def test_the_pager_asks_once_and_forgets_what_is_far() -> None:
    asked: list[int] = []
    pager = Pager(lambda page, _: asked.append(page))
    pager.set_numbers(range(100 * PAGE))
    assert pager.at(5) is None
    assert pager.at(6) is None
    assert asked == [0]
    made = [_shown(number) for number in range(100 * PAGE)]
    for page in range(61):
        pager.put(page, made[page * PAGE : (page + 1) * PAGE])
    found = pager.at(6 * PAGE)
    assert found is not None
    assert found.id == 6 * PAGE
    assert pager.at(5) is None
    assert asked == [0, 0]
    pager.change(6 * PAGE, decision="rejected")
    changed = pager.at(6 * PAGE)
    assert changed is not None
    assert not changed.kept


def _shown(number: int) -> Shown:
    return Shown(number, 1, "exqa", 0, "accepted", "", "a", "b", "", "p", "d", None, "")


def test_picked_rows_are_decided_on_together(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        await pilot.press("space", "down", "space")
        await shows(pilot, "2 picked")
        assert screen.chosen() == [1, 5]
        await pilot.press("shift+down")
        assert screen.chosen() == [1, 5, 6, 9]
        await pilot.press("escape")
        await until(pilot, lambda: "picked" not in text_of(app))
        assert app.screen is screen
        await pilot.press("home", "space", "end", "space", "r", "5")
        await until(pilot, lambda: reviewed(job) == Reviewed(0, 2, 0))
        assert (row(job, 1).why, row(job, 10).why) == ("private", "private")
        assert screen.chosen() != [1, 10]
        await pilot.press("u")
        await until(pilot, lambda: reviewed(job) == Reviewed(0, 0, 0))
        await pilot.press("home", "space", "space", "3")
        await until(pilot, lambda: row(job, 2).score == 3)
        assert row(job, 1).score == 3
        await pilot.press("escape")
        await on(pilot, "HomeScreen")

    drive(script)


def test_the_pager_forgets_what_is_far_when_very_many_rows_change() -> None:
    asked: list[int] = []
    pager = Pager(lambda page, _: asked.append(page))
    pager.set_numbers(range(100 * PAGE))
    for page in range(10):
        pager.put(page, [_shown(at) for at in range(page * PAGE, (page + 1) * PAGE)])
    pager.again([1, 2])
    assert asked == [0]
    pager.again(range(100 * PAGE))
    assert asked == [0, 7, 8, 9]
    assert pager.at(9 * PAGE) is not None
    assert pager.at(5) is None


def test_rows_join_the_review_as_they_come(job: Path) -> None:
    program = str(Path(__file__).with_name("growing_job.py"))
    paths = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, program, str(job), "24"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"

        async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
            assert process.stdin is not None
            screen = await opened(app, pilot, job)
            before = [1, 2, 5, 6, 9, 10]
            assert list(screen.pager.numbers) == before
            await pilot.press("down", "down")
            await until(pilot, lambda: screen._at_work)
            process.stdin.write("\n")
            process.stdin.flush()
            await until(pilot, lambda: len(screen.pager.numbers) == 12)
            assert list(screen.pager.numbers)[:6] == before
            assert screen.grid.cursor == 2
            await shows(pilot, "3 of 12 rows")
            await pilot.press("end")
            await until(pilot, lambda: screen.row is not None and screen.row.id > 12)
            process.stdin.close()
            await until(pilot, lambda: not screen._at_work)

        drive(script)


def test_an_answer_that_comes_while_a_screen_closes_is_dropped(job: Path) -> None:
    answers = list[bool]()

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        hold = Event()
        worker = app.ask(
            screen, lambda: hold.wait(20), lambda answer: answers.append(bool(screen.grid))
        )
        await pilot.press("escape")
        await until(pilot, lambda: screen not in app.screen_stack)
        hold.set()
        await until(pilot, lambda: worker.is_finished and not screen.is_attached)

    drive(script)
    assert not answers


@pytest.mark.parametrize("key", ["escape", "ctrl+q"])
def test_leaving_waits_until_what_was_decided_is_kept(job: Path, key: str) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, job)
        other = sqlite3.connect(store_path(job), isolation_level=None)
        with closing(other):
            other.execute("BEGIN IMMEDIATE")  # as a job at work does
            await pilot.press("a", "a", "a", "a", key)
            await on(pilot, "Keeping")
            await shows(pilot, "Keeping your decisions")
            other.execute("COMMIT")
        if key == "escape":
            await on(pilot, "HomeScreen")
        else:
            await until(pilot, lambda: app._exit)
        assert reviewed(job).accepted == 4

    drive(script)
