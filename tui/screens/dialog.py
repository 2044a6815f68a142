"""Small windows that ask something: a question, or a line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList

from bonito_local.printable import printable


class Keeping(ModalScreen[None]):
    """Stays until all is written, and keeps keys from the screens below."""

    def __init__(self, kept: Callable[[], bool]) -> None:
        super().__init__()
        self._kept = kept

    def compose(self) -> ComposeResult:
        """One line."""
        with Vertical(classes="dialog"):
            yield Label("Keeping your decisions …", classes="dialog-title")

    def on_mount(self) -> None:
        """Look often: most writes take a moment."""
        self.set_interval(0.05, self._look)

    def _look(self) -> None:
        # What could not be written is said first, in a dialog above this one.
        if self.is_current and self._kept():
            self.dismiss()


class Confirm(ModalScreen[bool]):
    """Asks before something that cannot be undone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes"),
        Binding("n,escape", "no", "No"),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, detail: str, yes: str, *, grave: bool = False) -> None:
        super().__init__()
        self._texts = (question, detail, yes)
        self._grave = grave

    def compose(self) -> ComposeResult:
        """The question and its two answers."""
        question, detail, yes = self._texts
        with Vertical(classes="dialog"):
            yield Label(printable(question), classes="dialog-title", markup=False)
            yield Label(printable(detail), markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"{yes} (y)", id="yes", variant="error" if self._grave else "primary")
                yield Button("Cancel (n)", id="no")

    def on_mount(self) -> None:
        """Enter alone does no harm."""
        self.query_one("#no" if self._grave else "#yes").focus()

    @on(Button.Pressed, "#yes")
    def action_yes(self) -> None:
        """Yes."""
        self.dismiss(True)

    @on(Button.Pressed, "#no")
    def action_no(self) -> None:
        """No."""
        self.dismiss(False)


class AskText(ModalScreen[str | None]):
    """Asks for a line of text; None where the user would rather not."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel")]

    def __init__(self, question: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._texts = (question, value, hint)

    def compose(self) -> ComposeResult:
        """The question and the line."""
        question, value, hint = self._texts
        with Vertical(classes="dialog"):
            yield Label(printable(question), classes="dialog-title", markup=False)
            yield Input(value, placeholder=hint)
            yield Label("Enter keeps it, Escape leaves it as it was.", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand over the line."""
        self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)


class Choose(ModalScreen[int | None]):
    """Asks for one of several things: returns its place in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        *(Binding(str(at + 1), f"take({at})", show=False) for at in range(9)),
    ]

    def __init__(self, question: str, options: list[str]) -> None:
        super().__init__()
        self._question = question
        self._options = options

    def compose(self) -> ComposeResult:
        """The question and what there is to choose."""
        with Vertical(classes="dialog"):
            yield Label(printable(self._question), classes="dialog-title", markup=False)
            options = [printable(option) for option in self._options]
            numbered = len(self._options) <= 9
            yield OptionList(
                *(f"{at + 1}  {o}" if numbered else o for at, o in enumerate(options)),
                markup=False,
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand over the choice."""
        self.dismiss(event.option_index)

    def action_take(self, at: int) -> None:
        """Choose by number."""
        if at < len(self._options):
            self.dismiss(at)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)
