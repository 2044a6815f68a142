"""What every screen has: a line on top, a footer with the keys that work here, a way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer, Label

from bonito_local.printable import printable

if TYPE_CHECKING:
    from bonito_local.tui.app import BonitoApp

_T = TypeVar("_T")
LOOK = "look"  # the group of what a screen asks again and again


class Page(Screen[None]):
    """A screen. `NAME` is its title, `HELP` what `?` says of it."""

    NAME: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", "Back")]

    _offered: tuple[tuple[str, bool], ...] = ()

    @property
    def bonito(self) -> BonitoApp:
        """The app, by its own type."""
        return cast("BonitoApp", self.app)

    def compose(self) -> ComposeResult:
        """The top line, the content and the footer."""
        with Horizontal(id="top"):
            yield Label("bonito-local", id="brand")
            yield Label(self.NAME, id="title", markup=False)
            yield Label("", id="info", markup=False)
        yield from self.content()
        yield Footer(show_command_palette=False)

    def content(self) -> ComposeResult:
        """The widgets between the top line and the footer."""
        yield from ()

    def say(self, info: str, title: str = "") -> None:
        """Put words at the right of the top line."""
        self.query_one("#info", Label).update(printable(info), layout=False)
        if title:
            self.query_one("#title", Label).update(printable(title), layout=False)

    def offer(self) -> None:
        """Show the keys that work now, if they are others than before: drawing them takes time."""
        offered = tuple(
            (key, active.enabled) for key, active in sorted(self.active_bindings.items())
        )
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def ask(
        self,
        what: Callable[[], _T],
        then: Callable[[_T], object] | None = None,
        group: str = "",
    ) -> None:
        """Do it in a thread; see `BonitoApp.ask`."""
        self.bonito.ask(self, what, then, group=f"{id(self)}/{group}" if group else "")

    def is_asked(self, group: str) -> bool:
        """Whether a thread is at work on what this screen asked in a group."""
        return self.bonito.is_asked(f"{id(self)}/{group}")

    def kept(self) -> bool:
        """Whether all that was decided here is written."""
        return True

    def action_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()
