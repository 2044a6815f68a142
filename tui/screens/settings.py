"""Settings: colours, folders, the model of new jobs; and where everything is kept."""

from __future__ import annotations

from typing import ClassVar

from platformdirs import user_cache_path, user_state_path
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Select, Static

from bonito_local.bounds import user_folder
from bonito_local.models import store
from bonito_local.tui.format import DIM, STRONG, Piece
from bonito_local.tui.preferences import preferences_path
from bonito_local.tui.screens.page import Page
from bonito_local.tui.widgets.jobs import content

_FIELDS = (
    ("folder", "Documents in", "where new jobs look first; empty: the folder you are in"),
    ("model", "Model", "of new jobs"),
    ("models", "Models in", "a folder with GGUF files; empty: the folder you are in"),
)
_ONLINE = (
    ("off: the app fetches nothing", "no"),
    ("on: models, when you ask for one", "yes"),
)
_KEYS = (
    ("?", "help on every screen"),
    ("Ctrl+P", "everything by name"),
    ("Escape", "back"),
    ("Tab, Shift+Tab", "to the next or the last part of a screen"),
    ("Arrows, PgUp, PgDn", "move; j and k too, g and G to both ends"),
    ("Enter", "open"),
    ("Ctrl+Q", "leave; jobs go on"),
)


class SettingsScreen(Page):
    """Every change is kept at once."""

    NAME = "Settings"
    HELP = "What you change here is kept at once. Settings of a job are in its job file."
    BINDINGS: ClassVar[list[BindingType]] = []

    def content(self) -> ComposeResult:
        """The fields, the folders, the keys."""
        held = self.bonito.preferences
        themes = [(name, name) for name in self.bonito.themes_to_choose()]
        chosen = self.app.theme
        with VerticalScroll(can_focus=False):
            with Horizontal(classes="field first"):
                yield Static("Colours", classes="name")
                known = any(name == chosen for name, _ in themes)
                yield Select(
                    themes, value=chosen if known else themes[0][1], allow_blank=False, id="theme"
                )
            for name, title, hint in _FIELDS:
                with Horizontal(classes="field"):
                    yield Static(title, classes="name")
                    yield Input(getattr(held, name), id=f"set-{name}")
                yield Static(hint, classes="hint under")
            with Horizontal(classes="field"):
                yield Static("Downloads", classes="name")
                online = held.online if held.online == "yes" else "no"
                yield Select(_ONLINE, value=online, allow_blank=False, id="online")
            yield Static(content(_told()), id="places", markup=False)

    @on(Select.Changed, "#theme")
    def _theme(self, event: Select.Changed) -> None:
        self.app.theme = str(event.value)

    @on(Select.Changed, "#online")
    def _online(self, event: Select.Changed) -> None:
        if event.value != self.bonito.preferences.online:
            self.bonito.set_preferences(online=str(event.value))

    @on(Input.Blurred)
    @on(Input.Submitted)
    def _keep(self, event: Input.Blurred | Input.Submitted) -> None:
        name = (event.input.id or "").removeprefix("set-")
        value = event.value.strip()
        if name in ("folder", "models") and value and not user_folder(value):
            self.notify(f"{value} is not a folder.", severity="warning")
        elif value != getattr(self.bonito.preferences, name):
            self.bonito.set_preferences(**{name: value})


def _told() -> list[Piece]:
    pieces: list[Piece] = [("\nWhere things are\n", STRONG)]
    for what, where in (
        ("list of jobs", user_state_path("bonito-local")),
        ("these settings", preferences_path()),
        ("models with a name", store.folder()),
        ("measured speeds", user_cache_path("bonito-local")),
    ):
        pieces += [(f"{what:<20}", DIM), (f"{where}\n", "")]
    pieces.append(("\nKeys\n", STRONG))
    for key, what in _KEYS:
        pieces += [(f"{key:<20}", ""), (f"{what}\n", DIM)]
    return pieces
