"""Names and texts of documents on the screen: no markup is read in them, and none steers it."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_jobs import finished_job
from driving import drive, on, shows, text_of, until
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Label, OptionList

from bonito_local.jobs.rows import Filter
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.screens.dialog import Choose, Confirm
from bonito_local.tui.screens.review_dialogs import FilterDialog
from bonito_local.tui.widgets.jobs import content
from bonito_local.tui.widgets.pick_tree import PickTree

_NAMES = ["Report [rev=2024-05-01].pdf", "[draft] a.pdf"]


def test_the_filter_offers_documents_with_brackets() -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        app.push_screen(FilterDialog(Filter(), ["exqa"], list(enumerate(_NAMES, 1))))
        await on(pilot, "FilterDialog")
        await pilot.pause()
        document = app.screen.query_one("#document")
        document.focus()
        await pilot.press("enter")
        await until(pilot, lambda: _NAMES[0] in text_of(app), 15)
        prompts = [option.prompt for option in document.query_one(OptionList).options]
        assert [str(prompt) for prompt in prompts[1:]] == _NAMES
        assert all(isinstance(prompt, Text) for prompt in prompts)

    drive(script)


@pytest.mark.parametrize("name", _NAMES)
def test_a_message_reads_no_markup(name: str) -> None:
    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        app.screen.notify(f"Starting {name}")
        await shows(pilot, f"Starting {name}")

    drive(script, notifications=True)


def test_names_do_not_steer_the_terminal(home: Path) -> None:
    name = "\x1b]0;[b]\x9bmine\u202e"
    shown = "\\x1b]0;[b]\\x9bmine\\u202e"
    finished_job(home / name)
    (home / f"{name}.txt").write_text("text")

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: shown in text_of(app), 15)
        assert "\x1b" not in text_of(app)
        for dialog in (Confirm(name, name, "Yes"), Choose(name, [name])):
            app.push_screen(dialog)
            await on(pilot, type(dialog).__name__)
            await until(pilot, lambda: text_of(app).count(shown) >= 2, 15)
            label = dialog.query(Label).first()
            assert str(label.content) == shown
            assert not set("\x1b\x9b\u202e") & set(text_of(app))
            await pilot.press("escape")
        await on(pilot, "HomeScreen")
        await pilot.press("n")
        await on(pilot, "NewJobScreen")
        tree = app.screen.query_one(PickTree)
        await shows(pilot, f"{shown}.txt")
        assert tree.is_attached
        assert not set("\x1b\x9b\u202e") & set(text_of(app))

    drive(script, (160, 40))
    assert content([(name, "")]).plain == shown
