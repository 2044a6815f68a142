"""Step 4 of a new job: passages as they will be split, and five real rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from bonito_local.jobs.preview import Found
from bonito_local.tui.format import (
    ACCENT,
    DIM,
    GOOD,
    OUTCOME_TONES,
    STRONG,
    WARN,
    Cell,
    Piece,
    cell,
    duration,
    one_line,
)
from bonito_local.tui.widgets.grid import Column, Grid
from bonito_local.tui.widgets.jobs import content

_COLUMNS = (
    Column("Document", 22),
    Column("Page", 4, right=True),
    Column("Tokens", 6, right=True),
    Column("Passage", 20, flex=True),
)


class PreviewStep(Vertical):
    """Passages above, rows below; both come in as they are made."""

    def __init__(self) -> None:
        super().__init__()
        self.passages: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self._notes: list[Piece] = []

    def compose(self) -> ComposeResult:
        """The passages, the whole of one, and the rows."""
        yield Static("", id="looking", markup=False)
        yield Grid(_COLUMNS, self._cells, id="passages")
        yield Static("", id="passage", markup=False)
        with VerticalScroll(id="rows"):
            yield Static("", id="row-texts", markup=False)

    def begin(self) -> None:
        """Forget what was found before."""
        self.passages.clear()
        self.rows.clear()
        self._notes = []
        self.query_one(Grid).show(0)
        self.query_one("#row-texts", Static).update("")
        self.query_one("#passage", Static).update("")
        self._say([("Looking …", DIM)])

    def add(self, found: Found) -> None:
        """Show one more thing."""
        data = found.data
        if found.kind == "passage":
            self.passages.append(data)
            self.query_one(Grid).show(len(self.passages))
            if len(self.passages) == 1:
                self._show_passage()
            self._say([(f"{len(self.passages)} passages, drawing rows …", DIM)])
        elif found.kind == "row":
            self.rows.append(data)
            self._show_rows()
        elif found.kind == "problem":
            text = f"{Path(data['source']).name}: {data['title']}\n"
            self._notes.append((text, WARN))
            self._show_rows()
        elif found.kind == "note":
            self._say([(f"{data['text']} …", DIM)])
            if "not trained" in data["text"]:
                self._notes.append((f"{data['text']} Expect few or poor rows.\n", WARN))
                self._show_rows()
        elif found.kind == "end":
            kept = sum(row["outcome"] == "accepted" for row in self.rows)
            told = f"{kept} of {len(self.rows)} rows would be kept"
            self._say([(told, STRONG), (f", drawn in {duration(data['seconds'])}", DIM)])

    def failed(self, title: str) -> None:
        """Say that no more will come."""
        self._say([(title, WARN)])

    def _say(self, pieces: list[Piece]) -> None:
        self.query_one("#looking", Static).update(content(pieces))

    def _cells(self, index: int) -> list[Cell]:
        data = self.passages[index]
        return [
            cell(Path(data["source"]).name),
            cell(str(data["page"] or ""), DIM),
            cell(str(data["tokens"]), DIM),
            cell(one_line(data["text"])[:200]),
        ]

    @on(Grid.Highlighted)
    def _show_passage(self) -> None:
        at = self.query_one(Grid).cursor
        if at < len(self.passages):
            text = one_line(self.passages[at]["text"])
            self.query_one("#passage", Static).update(content([(text, "")]))

    def _show_rows(self) -> None:
        shown: list[Content] = []
        for row in self.rows:
            passage = self.passages[row["passage"]]
            instruction = row["instruction"].replace(passage["text"].strip(), "[passage]")
            pieces: list[Piece] = [
                (row["task"], ACCENT),
                (f"  {Path(passage['source']).name}  ", DIM),
                (row["outcome"], OUTCOME_TONES[row["outcome"]]),
                (f"  {row['reason']}\n" if row["reason"] else "\n", DIM),
            ]
            if row["instruction"]:
                pieces += [(one_line(instruction) + "\n", ""), (one_line(row["response"]), GOOD)]
            else:
                pieces.append((one_line(row["completion"]), DIM))
            shown.append(content([*pieces, ("\n", "")]))
        if self._notes:
            shown.append(content(self._notes))
        self.query_one("#row-texts", Static).update(Content("\n").join(shown))
