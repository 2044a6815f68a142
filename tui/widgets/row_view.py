"""A row beside its passage; of an extractive answer, where it stands in the passage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from bonito_local.jobs.rows import Shown
from bonito_local.printable import printable
from bonito_local.tui.format import (
    ACCENT,
    BAD,
    DIM,
    GOOD,
    OUTCOME_TONES,
    STRONG,
    WARN,
    Cell,
    Piece,
    cell,
    one_line,
)
from bonito_local.tui.widgets.grid import Column
from bonito_local.tui.widgets.jobs import content

COLUMNS = (
    Column("", 1),
    Column("Task", 8),
    Column("Outcome", 11, least=60),
    Column("Instruction", 16, flex=True),
    Column("Response", 14, flex=True),
    Column("Document", 16, least=110),
)
_MARKS = {"accepted": ("✓", GOOD), "rejected": ("✗", BAD)}


def row_cells(row: Shown) -> list[Cell]:
    """A row as a line of a table; its mark is what a person said of it."""
    mark = cell(*_MARKS[row.decision]) if row.decision else cell("·", DIM)
    instruction = shortened(row) or one_line(row.completion)
    tone = "" if row.kept else DIM
    return [
        mark,
        cell(row.task, ACCENT if row.kept else DIM),
        cell(row.outcome, OUTCOME_TONES[row.outcome]),
        cell(instruction[:300], tone),
        cell(one_line(row.response)[:200], GOOD if row.kept else DIM),
        cell(Path(row.source).name, DIM),
    ]


def shortened(row: Shown) -> str:
    """The instruction with "[passage]" where the passage stands."""
    return one_line(row.instruction.replace(row.passage.strip(), "[passage]"))


def row_text(row: Shown) -> Content:
    """What the model wrote, how it ended, and what a person said."""
    pieces: list[Piece] = [
        (row.task, ACCENT),
        ("  ", ""),
        (row.outcome, OUTCOME_TONES[row.outcome]),
        (f": {row.reason}" if row.reason else "", DIM),
    ]
    if row.decision:
        why = f" by you: {row.why}" if row.why else " by you"
        pieces += [("\n", ""), (row.decision + why, _MARKS[row.decision][1])]
    extra = [
        f"score {row.score}" if row.score else "",
        f"tags {row.tags}" if row.tags else "",
        "edited" if row.edited else "",
    ]
    if any(extra):
        pieces.append(("\n" + "   ".join(filter(None, extra)), WARN))
    if row.reread:
        pieces.append((f"\nAnswered again: {row.reread}", DIM))
    if row.note:
        pieces.append((f"\nNote: {row.note}", WARN))
    if row.instruction:
        pieces += [("\n\n", ""), (shortened(row), ""), ("\n→ ", DIM), (row.response, GOOD)]
        if row.reasoning:
            pieces.append((f"\n\nBecause: {row.reasoning}", DIM))
    else:
        pieces += [("\n\nThe model wrote: ", DIM), (row.completion or "nothing", "")]
    return content(pieces)


def passage_text(row: Shown) -> Content:
    """The passage, where it stands, and in it the row's sentence and an extractive answer."""
    page = f", page {row.page}" if row.page else ""
    head = content([(f"{Path(row.source).name}{page}\n", STRONG), (row.heading, DIM)])
    text = Content.assemble(*((printable(part), style) for part, style in _marked(row)))
    return (
        Content("\n").join([head, text]) if not row.heading else Content("\n\n").join([head, text])
    )


def _marked(row: Shown) -> Iterator[tuple[str, str]]:
    """The passage in parts, each with its style."""
    first, last = row.evidence_start or 0, row.evidence_end or 0
    start, end = _span(row, first, last or len(row.passage)) or (last, last)
    if not last:
        first, last = start, end
    for begin, stop, style in (
        (0, first, ""),
        (first, start, "underline"),
        (start, end, "bold $background on $accent"),
        (end, last, "underline"),
        (last, len(row.passage), ""),
    ):
        if begin < stop:
            yield row.passage[begin:stop], style


def _span(row: Shown, first: int, last: int) -> tuple[int, int] | None:
    """Where the response stands in that part of the passage, whatever its case and blanks."""
    words = row.response.split()
    if row.task != "exqa" or not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)), re.IGNORECASE)
    found = pattern.search(row.passage, first, last)
    return found.span() if found else None


class RowView(Horizontal):
    """The row at the left, its passage at the right; one above the other where it is narrow."""

    def compose(self) -> ComposeResult:
        """The two halves, each scrolls."""
        with VerticalScroll(classes="half"):
            yield Static(id="row-text", markup=False)
        with VerticalScroll(classes="half right"):
            yield Static(id="passage-text", markup=False)

    def show(self, row: Shown | None, empty: str = "") -> None:
        """Show a row, or why there is none."""
        self.query_one("#row-text", Static).update(row_text(row) if row else empty)
        self.query_one("#passage-text", Static).update(passage_text(row) if row else "")
