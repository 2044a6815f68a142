"""The windows of the review: which rows, another text, the place in the document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static, TextArea

from bonito_local.jobs.ledger import OUTCOMES
from bonito_local.jobs.rows import Filter, Shown
from bonito_local.printable import printable
from bonito_local.tui.format import DIM, STRONG, Piece, one_line
from bonito_local.tui.widgets.jobs import content

_DECISIONS = (
    ("not yet decided by you", "none"),
    ("decided by you", "any"),
    ("accepted by you", "accepted"),
    ("rejected by you", "rejected"),
)


class FilterDialog(ModalScreen[Filter | None]):
    """Which rows to look at."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("ctrl+s", "apply", "Show", priority=True),
    ]

    def __init__(
        self, held: Filter, tasks: Sequence[str], documents: Sequence[tuple[int, str]]
    ) -> None:
        super().__init__()
        self._held = held
        self._tasks = tasks
        self._documents = documents

    def compose(self) -> ComposeResult:
        """A field for each part of the filter."""
        held = self._held
        outcomes = [(name, name) for name in OUTCOMES]
        documents = [(Path(name).name, number) for number, name in self._documents]
        with Vertical(classes="dialog"):
            yield Label("Which rows?", classes="dialog-title")
            yield from _line("Outcome", _select("outcome", outcomes, held.outcome, "all"))
            yield from _line(
                "Decision", _select("decision", list(_DECISIONS), held.decision, "all")
            )
            tasks = [(name, name) for name in self._tasks]
            first = held.documents[0] if held.documents else 0
            yield from _line("Task", _select("task", tasks, held.task, "all"))
            yield from _line("Document", _select("document", documents, first, "all"))
            yield from _line("Text", Input(held.text, id="text", placeholder="in row or passage"))
            with Horizontal(classes="buttons"):
                yield Button("Show (^s)", id="apply", variant="primary")
                yield Button("All rows", id="all")

    @on(Button.Pressed, "#all")
    def _all(self) -> None:
        self.dismiss(Filter())

    @on(Button.Pressed, "#apply")
    @on(Input.Submitted)
    def action_apply(self) -> None:
        """Hand over the filter."""
        values = {
            name: self.query_one(f"#{name}", Select).value
            for name in ("outcome", "decision", "task", "document")
        }
        texts = {
            name: value if isinstance(value, str) else ""
            for name, value in values.items()
            if name != "document"
        }
        documents = (values["document"],) if isinstance(values["document"], int) else ()
        text = self.query_one("#text", Input).value.strip()
        self.dismiss(Filter(**texts, documents=documents, text=text))

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)


def _select(
    name: str, options: Sequence[tuple[str, str | int]], value: str | int, empty: str
) -> Select[str | int]:
    select: Select[str | int] = Select(
        # A text of Rich's: no markup is read in it, and keys find it.
        [(Text(printable(shown)), held) for shown, held in options],
        prompt=empty,
        id=name,
    )
    if value and any(held == value for _, held in options):
        select.value = value
    return select


def _line(title: str, widget: Select[str | int] | Input) -> ComposeResult:
    with Horizontal(classes="field"):
        yield Static(title, classes="name")
        yield widget


class EditDialog(ModalScreen[tuple[str, str] | None]):
    """Another instruction and response in place of the model's, which are kept."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "keep", "Keep", priority=True),
        Binding("escape", "cancel", "Cancel", priority=True),
    ]

    def __init__(self, row: Shown) -> None:
        super().__init__()
        self._row = row

    def compose(self) -> ComposeResult:
        """The two texts."""
        with Vertical(classes="dialog edit"):
            yield Label("Instruction", classes="dialog-title")
            yield TextArea(self._row.instruction, id="instruction", tab_behavior="focus")
            yield Label("Response", classes="dialog-title")
            yield TextArea(self._row.response, id="response", tab_behavior="focus")
            yield Label("Ctrl+S keeps it, Escape leaves it, Tab goes on.", classes="hint")

    def on_mount(self) -> None:
        """Most edits are of the response."""
        self.query_one("#response").focus()

    def action_keep(self) -> None:
        """Hand over the texts."""
        texts = (self.query_one(f"#{name}", TextArea).text for name in ("instruction", "response"))
        instruction, response = texts
        self.dismiss((instruction, response))

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)


class SourceDialog(ModalScreen[None]):
    """The passage among its neighbours in the document."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss", "Close")]

    def __init__(self, row: Shown, around: Sequence[tuple[int, str]]) -> None:
        super().__init__()
        self._row = row
        self._around = around

    def compose(self) -> ComposeResult:
        """Document, page, heading, and the passages."""
        row = self._row
        page = f", page {row.page}" if row.page else ""
        pieces: list[Piece] = []
        for number, text in self._around:
            here = number == row.passage_id
            pieces.append((one_line(text) + "\n\n", STRONG if here else DIM))
        with VerticalScroll(classes="dialog help"):
            yield Label(printable(f"{row.source}{page}"), classes="dialog-title", markup=False)
            yield Static(printable(row.heading), markup=False)
            yield Static(content(pieces), markup=False)

    def on_mount(self) -> None:
        """Arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()
