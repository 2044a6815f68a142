from __future__ import annotations

from pathlib import Path

from driving import drive, on, shows
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, Select

from bonito_local.jobs.review import open_review
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.screens.export import ExportScreen


async def opened(app: BonitoApp, pilot: Pilot[None], job: Path) -> ExportScreen:
    """The export of a job, with its card read."""
    screen = ExportScreen(job)
    app.push_screen(screen)
    await on(pilot, "ExportScreen")
    await shows(pilot, "Would write")
    return screen


def test_the_form_says_what_is_written(job: Path) -> None:
    review = open_review(job)
    review.decide([1, 2], "accepted")
    review.close()

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        await shows(pilot, "Would write 6 rows")
        await shows(pilot, "2 kept, 0 rejected by you")
        await shows(pilot, "# Instruction-tuning dataset: contracts")
        screen.query_one("#format", Select).value = "openai"
        screen.query_one("#which", Select).value = 1
        await shows(pilot, "Would write 2 rows")
        await shows(pilot, "openai takes 10 or more")
        folder = screen.query_one("#folder", Input)
        assert folder.value == "~/contracts/exports/openai"
        screen.query_one("#strip", Checkbox).value = True
        await shows(pilot, "# Instruction-tuning dataset\n")
        await pilot.press("ctrl+s")
        await shows(pilot, "2 rows in")
        await pilot.press("ctrl+r")
        await shows(pilot, "The report is")

    drive(script)
    assert "6 rows of instruction" in (job / "report.html").read_text(encoding="utf-8")
    lines = (job / "exports" / "openai" / "train.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert not (job / "exports" / "openai" / "provenance").exists()


def test_a_split_that_is_none_is_told_and_not_written(job: Path) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        split = screen.query_one("#split", Input)
        split.focus()
        await pilot.press("9", "0")
        await shows(pilot, "Write 90/10 for train and test")
        assert split.has_class("-invalid")
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await pilot.press("escape")
        await pilot.press("slash", "1", "0")
        await shows(pilot, "6 rows: train 6, test 0")
        assert not split.has_class("-invalid")
        assert screen.query_one("#folder", Input).value == "~/contracts/exports/hf"

    drive(script, (80, 24))
    assert not (job / "exports").exists()


def test_a_folder_of_ones_own_is_kept_and_a_foreign_one_is_refused(job: Path, home: Path) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "a.txt").write_text("mine")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        screen.query_one("#folder", Input).value = str(home / "mine")
        screen.query_one("#format", Select).value = "csv"
        await shows(pilot, "Would write")
        assert screen.query_one("#folder", Input).value == str(home / "mine")
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await shows(pilot, "was not made by bonito-local")
        await pilot.press("escape")
        await shows(pilot, "Nothing was written.")

    drive(script)
    assert [path.name for path in (home / "mine").iterdir()] == ["a.txt"]
