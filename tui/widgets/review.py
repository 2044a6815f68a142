"""Parts of the review: its table, where rows can be picked, and the line of its progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from bonito_local.jobs.chosen import Reviewed
from bonito_local.jobs.rows import Filter, Shown
from bonito_local.tui.format import ACCENT, BAD, DIM, GOOD, STRONG, Cell, Piece, bar, count
from bonito_local.tui.widgets.grid import Grid
from bonito_local.tui.widgets.jobs import content
from bonito_local.tui.widgets.row_view import COLUMNS, row_cells

_COLUMNS = (replace(COLUMNS[0], width=2), *COLUMNS[1:])


class ReviewGrid(Grid):
    """Rows, several of which can be picked; Enter shows where one comes from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Source", tooltip="Show the passage in its document"),
        Binding(
            "space",
            "pick",
            "Pick",
            key_display="␣",
            tooltip="Pick the row: the next key is for all picked",
        ),
        Binding("shift+down", "pick_on(1)", show=False, tooltip="Pick this row and the next"),
        Binding("shift+up", "pick_on(-1)", show=False, tooltip="Pick this row and the one before"),
    ]

    class Picked(Message):
        """Other rows are picked."""

    def __init__(
        self, at: Callable[[int], Shown | None], numbers: Callable[[], Sequence[int]], *, id: str
    ) -> None:
        super().__init__(_COLUMNS, self._cells, id=id)
        self._at = at
        self._numbers = numbers
        self.picked: set[int] = set()

    def _cells(self, index: int) -> list[Cell] | None:
        row = self._at(index)
        if row is None:
            return None
        mark, *cells = row_cells(row)
        here = ("▌", ACCENT) if row.id in self.picked else (" ", DIM)
        return [(here, *mark), *cells]

    def _number(self) -> int | None:
        numbers = self._numbers()
        return numbers[self.cursor] if self.cursor < len(numbers) else None

    def action_pick(self) -> None:
        """Pick the row, or leave it; go on to the next."""
        number = self._number()
        if number is not None:
            self.picked ^= {number}
            self.cursor += 1
            self._tell()

    def action_pick_on(self, by: int) -> None:
        """Pick this row and the one that the cursor goes to."""
        for step in (0, by):
            self.cursor += step
            if (number := self._number()) is not None:
                self.picked.add(number)
        self._tell()

    def drop(self) -> bool:
        """Pick none; return whether some were."""
        some = bool(self.picked)
        self.picked = set()
        if some:
            self._tell()
        return some

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Picked())


def progress(reviewed: Reviewed, total: int, shown: Filter, picked: int = 0) -> Content:
    """How much was decided, which rows are shown, and how many of them are picked."""
    done = reviewed.accepted + reviewed.rejected
    part = min(1.0, done / total) if total else 0.0
    pieces: list[Piece] = [
        *bar(part, 16),
        (f"  {count(reviewed.accepted)} accepted", GOOD),
        (f"  {count(reviewed.rejected)} rejected", BAD),
        (f"  {count(reviewed.edited)} edited", ACCENT),
        (f"  {filter_words(shown)}", DIM),
    ]
    if picked:
        pieces.append((f"  {count(picked)} picked", STRONG))
    return content(pieces)


def filter_words(shown: Filter) -> str:
    """Which rows a filter leaves, in words."""
    words = [shown.outcome, shown.task, f"'{shown.text}'" if shown.text else ""]
    words += [{"none": "undecided", "any": "decided"}.get(shown.decision, shown.decision)]
    words += ["one document" if shown.documents else ""]
    return "showing " + (", ".join(filter(None, words)) or "all rows")
