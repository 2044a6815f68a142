"""Doctor: whether this installation and this machine are well."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from bonito_local.doctor import Check, examine
from bonito_local.tui.format import BAD, DIM, GOOD, STRONG, WARN, Piece
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.jobs import content

_MARKS = {"ok": ("✓", GOOD), "warn": ("!", WARN), "fail": ("✗", BAD)}


class DoctorScreen(Page):
    """The report of `bonito-local doctor`."""

    NAME = "Doctor"
    HELP = "Checks engines, memory, disk, models and the air gap, as `bonito-local doctor` does."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "check", "Check again", tooltip="Check again"),
    ]

    def content(self) -> ComposeResult:
        """The report."""
        with VerticalScroll(id="report"):
            yield Static("", id="checks", markup=False)

    def on_mount(self) -> None:
        """Check at once."""
        self.query_one("#report").focus()
        self.action_check()

    def action_check(self) -> None:
        """Check, in a thread: it takes some seconds."""
        self.query_one("#checks", Static).update("Checking: engines, memory, air gap …")
        self.say("")
        self.ask(examine, self._show, "checks")

    def _show(self, checks: list[Check]) -> None:
        pieces: list[Piece] = []
        for check in checks:
            mark, tone = _MARKS[check.status]
            pieces += [(f"{mark} ", tone), (f"{check.name}\n", STRONG), (f"  {check.found}\n", "")]
            if check.remedy:
                pieces.append((f"  {check.remedy}\n", WARN if check.status == "warn" else DIM))
        self.query_one("#checks", Static).update(content(pieces))
        bad = sum(check.status != "ok" for check in checks)
        self.say("all is well" if not bad else f"{bad} to look at")
