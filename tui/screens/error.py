"""An error as the user sees it: what went wrong, and what to do."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from bonito_local.printable import printable


class ErrorScreen(ModalScreen[None]):
    """Shows one error; any of Enter and Escape closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss", "Close")]

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__()
        self.what = what
        self.remedy = remedy

    def compose(self) -> ComposeResult:
        """The two sentences."""
        with Vertical(classes="dialog error"):
            yield Label("That did not work", classes="dialog-title")
            yield Label(printable(self.what), markup=False)
            if self.remedy:
                yield Label(printable(self.remedy), classes="remedy", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", variant="primary")

    def on_button_pressed(self) -> None:
        """Close."""
        self.dismiss()
