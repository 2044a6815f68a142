from __future__ import annotations

from pathlib import Path

from driving import drive, on, text_of, until
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
    await until(pilot, lambda: "Would write" in text_of(app))
    return screen


def test_the_form_says_what_is_written(job: Path) -> None:
    review = open_review(job)
    review.decide([1, 2], "accepted")
    review.close()

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        screen = await opened(app, pilot, job)
        assert "Would write 6 rows" in text_of(app)
        assert "2 kept, 0 rejected by you" in text_of(app)
        assert "# Instruction-tuning dataset: contracts" in text_of(app)
        screen.query_one("#format", Select).value = "openai"
        screen.query_one("#which", Select).value = 1
        await until(pilot, lambda: "Would write 2 rows" in text_of(app))
        assert "openai takes 10 or more" in text_of(app)
        folder = screen.query_one("#folder", Input)
        assert folder.value == "~/contracts/exports/openai"
        screen.query_one("#strip", Checkbox).value = True
        await until(pilot, lambda: "# Instruction-tuning dataset\n" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "2 rows in" in text_of(app))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: "The report is" in text_of(app))

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
        await until(pilot, lambda: "Write 90/10 for train and test" in text_of(app))
        assert split.has_class("-invalid")
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await pilot.press("escape")
        await pilot.press("slash", "1", "0")
        await until(pilot, lambda: "6 rows: train 6, test 0" in text_of(app))
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
        await until(pilot, lambda: "Would write" in text_of(app))
        assert screen.query_one("#folder", Input).value == str(home / "mine")
        await pilot.press("ctrl+s")
        await on(pilot, "ErrorScreen")
        await until(pilot, lambda: "was not made by bonito-local" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Nothing was written." in text_of(app))

    drive(script)
    assert [path.name for path in (home / "mine").iterdir()] == ["a.txt"]
