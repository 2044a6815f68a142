"""Drives the app as a user would: keys in, state out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from bonito_local.tui.app import BonitoApp

Script = Callable[[BonitoApp, Pilot[None]], Awaitable[None]]


def drive(
    script: Script, size: tuple[int, int] = (120, 40), *, notifications: bool = False
) -> None:
    """Open the app, run the script, close the app; a crash of the app fails the test."""

    async def run() -> None:
        app = BonitoApp()
        async with app.run_test(size=size, notifications=notifications) as pilot:
            await until(pilot, lambda: type(app.screen).__name__ == "HomeScreen")
            await script(app, pilot)

    asyncio.run(run())


async def until(pilot: Pilot[None], true: Callable[[], Any], seconds: float = 150.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not so:\n{text_of(pilot.app)}"
        await pilot.pause(0.02)


async def shows(pilot: Pilot[None], text: str) -> None:
    """Wait for a text on the screen, which is drawn after what it shows has changed."""
    await until(pilot, lambda: text in text_of(pilot.app))


async def on(pilot: Pilot[None], name: str) -> None:
    """Wait for a screen by its class."""
    await until(pilot, lambda: type(pilot.app.screen).__name__ == name)


def text_of(app: App[None]) -> str:
    """What is on the screen, without colours."""
    strips = app.screen._compositor.render_strips()
    lines = ("".join(segment.text for segment in strip).rstrip() for strip in strips)
    return "\n".join(lines) + "\n"
