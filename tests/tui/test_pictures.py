"""Every screen at two sizes, as text, compared with what it was.

After a change that is meant, BONITO_PICTURES=1 pytest tests/tui/test_pictures.py draws them anew;
look at what git then says has changed. Colours are not compared: docs/screenshots.py draws those.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from driving import drive, on, shows, text_of, until
from textual.pilot import Pilot

from bonito_local.doctor import Check
from bonito_local.tui.app import BonitoApp
from bonito_local.tui.screens.page import Page

PICTURES = Path(__file__).parent / "pictures"
SIZES = ((80, 24), (120, 40))
CHECKS = [Check("Python", "ok", "3.12"), Check("GPU", "warn", "left idle", "Build it anew.")]


async def keys(pilot: Pilot[None], pressed: str, shown: str, screen: str) -> None:
    """Press keys, and wait for a screen with a text in it."""
    if pressed:
        await pilot.press(*pressed.split())
    await on(pilot, screen)
    app = pilot.app
    assert isinstance(app, BonitoApp)
    await until(pilot, lambda: shown in text_of(app))


# Name -> keys, what is then on the screen, and which screen that is.
SCENES = {
    "home": ("", "6 accepted", "HomeScreen"),
    "help": ("question_mark", "Every job", "HelpScreen"),
    "detail": ("enter", "Which passage", "DetailScreen"),
    "outcomes": ("enter 2", "By task", "DetailScreen"),
    "review": ("r", "Which passage", "ReviewScreen"),
    "reasons": ("r r", "Wrong answer", "Choose"),
    "filter": ("r f", "All rows", "FilterDialog"),
    "tasks": ("n ctrl+n", "instruction", "NewJobScreen"),
    "settings": ("n ctrl+n ctrl+n", "Ctrl+O chooses one", "NewJobScreen"),
    "doctor": ("d", "Build it anew", "DoctorScreen"),
    "export": ("x", "What is in it", "ExportScreen"),
    "delete": ("D", "off the list", "Choose"),
}


def settled(steps: str) -> Callable[[BonitoApp, Pilot[None]], Awaitable[None]]:
    """Keys one after another, each on the screen that the one before led to."""
    pressed, shown, screen = SCENES[steps]

    async def script(app: BonitoApp, pilot: Pilot[None]) -> None:
        await shows(pilot, "6 accepted")
        for key in pressed.split():
            await pilot.press(key)
            await pilot.pause(0.3)
        await keys(pilot, "", shown, screen)
        await pilot.pause(0.3)
        # The footer is drawn last, and anew when other keys work.
        await until(pilot, lambda: not isinstance(app.screen, Page) or "? Help" in text_of(app))

    return script


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCENES)
def test_a_screen_is_as_it_was(
    name: str, size: tuple[int, int], job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bonito_local.tui.screens.doctor.examine", lambda: CHECKS)
    drawn: list[str] = []
    script = settled(name)

    async def draw(app: BonitoApp, pilot: Pilot[None]) -> None:
        await script(app, pilot)
        drawn.append(text_of(app))

    drive(draw, size)
    picture = PICTURES / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("BONITO_PICTURES"):
        picture.write_text(drawn[0], encoding="utf-8")
    assert drawn[0] == picture.read_text(encoding="utf-8")
