"""The terminal app: its screens, its themes, and the one place where its errors are shown.

What takes time runs in worker threads, through `BonitoApp.ask`; handlers own all state.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.worker import Worker, WorkerError, WorkerState

from bonito_local.airgap.audit import refuse_sockets
from bonito_local.errors import BonitoError
from bonito_local.printable import printable
from bonito_local.tui import preferences, themes
from bonito_local.tui.screens.dialog import Keeping
from bonito_local.tui.screens.error import ErrorScreen
from bonito_local.tui.screens.page import LOOK, Page

_T = TypeVar("_T")
_SWITCH_SECONDS = 0.001
_THEMES = ("textual-dark", "textual-light", "nord", "gruvbox", "catppuccin-latte", "textual-ansi")


class BonitoApp(App[None]):
    """bonito-local's terminal app."""

    TITLE = "bonito-local"
    CSS_PATH = "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012
    COMMAND_PALETTE_BINDING = "ctrl+p"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "help", "Help", key_display="?"),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        # A thread that reads a database hands the interpreter over at each statement.
        sys.setswitchinterval(_SWITCH_SECONDS)
        self.preferences = preferences.load()
        self._saving = Lock()
        self._asked: dict[Worker[Any], tuple[DOMNode, Callable[[Any], object] | None]] = {}
        # Whose looks failed, and how.
        self._failed: WeakKeyDictionary[DOMNode, str] = WeakKeyDictionary()
        self.register_theme(themes.DARK)
        self.register_theme(themes.LIGHT)

    def on_mount(self) -> None:
        """Open on the list of jobs."""
        from bonito_local.tui.screens.home import HomeScreen

        if self.preferences.theme in self.available_themes:
            self.theme = self.preferences.theme
        self.push_screen(HomeScreen())

    def ask(
        self,
        owner: DOMNode,
        what: Callable[[], _T],
        then: Callable[[_T], object] | None = None,
        *,
        group: str = "",
    ) -> Worker[_T]:
        """Run `what` in a thread, then `then` with its result, if `owner` is there still.

        Asking anew in a `group` makes its earlier answer void. An error is shown here.
        """
        for worker in [w for w in self._asked if group and w.group == group]:
            self._asked[worker] = (owner, None)
        worker = self.run_worker(what, group=group or "asked", thread=True, exit_on_error=False)
        self._asked[worker] = (owner, then)
        return worker

    def is_asked(self, group: str) -> bool:
        """Whether a thread is at work in a group, however it will end."""
        return any(worker.group == group for worker in self._asked)

    async def answered(self, owner: DOMNode) -> None:
        """Wait for the threads that `owner` asked."""
        for worker in [w for w, (of, _) in self._asked.items() if of is owner]:
            with suppress(WorkerError):
                await worker.wait()

    def when_kept(self, then: Callable[[], object]) -> None:
        """Call `then` once every screen has written what was decided; no key works until then."""
        pages = [screen for screen in self.screen_stack if isinstance(screen, Page)]

        def kept() -> bool:
            return all(page.kept() for page in pages)

        def ended(_: None) -> None:
            then()

        if kept():
            then()
        else:
            self.push_screen(Keeping(kept), ended)

    async def action_quit(self) -> None:
        """Leave, once what was decided is kept."""
        self.when_kept(self.exit)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Hand over what a worker found, or show why it could not."""
        worker = event.worker
        if event.state in (WorkerState.PENDING, WorkerState.RUNNING):
            return
        owner, then = self._asked.pop(worker, (self, None))
        # A screen that is closing has lost its widgets before it is detached.
        if not owner.is_attached or (owner is not self and owner.screen not in self.screen_stack):
            return
        looks = worker.group.endswith(LOOK)
        if event.state is WorkerState.ERROR and worker.error is not None:
            told = repr(worker.error)
            # What a look finds wrong twice a second is said once.
            if not looks or self._failed.get(owner) != told:
                self.show_error(worker.error)
            if looks:
                self._failed[owner] = told
        elif event.state is WorkerState.SUCCESS:
            if looks:
                self._failed.pop(owner, None)
            if then is not None:
                then(worker.result)

    def show_error(self, error: BaseException) -> None:
        """Show what went wrong and what to do about it; once, however often it happens."""
        if isinstance(error, BonitoError):
            shown = ErrorScreen(error.title, error.remedy)
        else:
            shown = ErrorScreen(
                f"{type(error).__name__}: {error}",
                "This is a fault of bonito-local. Jobs go on; what was done before is kept.",
            )
        if not any(isinstance(s, ErrorScreen) and s.what == shown.what for s in self.screen_stack):
            self.push_screen(shown)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """Show a message: it may name a file, so no markup is read in it."""
        del markup  # a widget's own `notify` always passes it on as true
        super().notify(
            printable(message), title=title, severity=severity, timeout=timeout, markup=False
        )

    def set_preferences(self, **changes: str) -> None:
        """Change what the user set, and keep it."""
        self.preferences = replace(self.preferences, **changes)
        self.ask(self, self._save_preferences)

    def _save_preferences(self) -> None:
        """Whichever thread is last writes what is set then, so that no older state wins."""
        with self._saving:
            preferences.save(self.preferences)

    def watch_theme(self, theme: str) -> None:
        """Remember a theme that was chosen, wherever that was."""
        if self.is_running and theme != self.preferences.theme:
            self.set_preferences(theme=theme)

    def themes_to_choose(self) -> list[str]:
        """Our themes, and some of Textual's."""
        known = self.available_themes
        return [name for name in ("bonito-dark", "bonito-light", *_THEMES) if name in known]

    def action_help(self) -> None:
        """Say what this screen is for and which keys work on it."""
        from bonito_local.tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Everything that can be done here, by name."""
        for _node, binding, enabled, _tip in screen.active_bindings.values():
            if enabled and binding.description and _node is screen and "." not in binding.action:
                action = binding.action
                yield SystemCommand(
                    binding.description,
                    binding.tooltip or f"Key: {self.get_key_display(binding)}",
                    lambda action=action: self.call_later(self.run_action, action, screen),
                )
        yield SystemCommand("Help", "What this screen is for, and its keys", self.action_help)
        yield SystemCommand("Theme", "Choose other colours", self.action_change_theme)
        yield SystemCommand("Quit", "Leave the app; jobs go on", self.action_quit)


def run_app() -> int:
    """Open the app on this terminal; return the exit status.

    It shows the user's text, and from here on no Python code of this process has a network. What
    the kernel refuses to a process it refuses to all that it starts, and workers enter the air
    gap by themselves, some but for one server: so this is the layer that the app can have.
    """
    # On Windows an event loop wakes itself through two sockets of this machine.
    refuse_sockets(local=sys.platform == "win32")
    app = BonitoApp()
    app.run()
    return app.return_code or 0
