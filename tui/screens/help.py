"""Help on a screen: what it is for, and every key that works on it."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.table import Table
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static

_USUAL = ("focus_next", "focus_previous", "screen.copy_text", "copy_text")


class HelpScreen(ModalScreen[None]):
    """Shows the help of the screen it was opened on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "Close"),
    ]

    def __init__(self, about: Screen[Any]) -> None:
        super().__init__()
        self._text = getattr(about, "HELP", "")
        self._title = str(getattr(about, "NAME", "")) or "Help"
        self._keys: dict[str, str] = {}
        for node, binding, _enabled, tip in about.active_bindings.values():
            own = isinstance(node, type(about)) or binding.show
            if binding.description and own and binding.action.removeprefix("app.") not in _USUAL:
                text = tip or binding.tooltip or binding.description
                key = about.app.get_key_display(binding)
                self._keys[text] = f"{self._keys.get(text, '')} {key}".strip()

    def compose(self) -> ComposeResult:
        """The text and the keys."""
        with VerticalScroll(classes="dialog help"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield Static(self._text, markup=False)
            table = Table.grid(padding=(0, 2))
            for text, keys in self._keys.items():
                table.add_row(keys, text)
            yield Static(table, id="keys")
            yield Label("Escape closes this. Ctrl+P finds everything by name.", classes="hint")

    def on_mount(self) -> None:
        """Arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()
