"""Tables of RTF: cells by the places of their right edges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from bonito_local.passages.blocks import Block
from bonito_local.passages.office.grid import LABEL, Cell, Row, Words, table_lines
from bonito_local.passages.office.outline import Lines, in_one_line


@dataclass(slots=True)
class _Cell:
    paragraphs: list[str] = field(default_factory=list)
    bold: bool = True


@dataclass(frozen=True, slots=True)
class _Edge:
    """The definition of a cell: its right edge, and whether it is merged with another."""

    right: int = 0
    left_merged: bool = False
    above_merged: bool = False
    begins_merge: bool = False


class Table:
    """Gathers the cells of a table's rows; writes the table when a paragraph ends it.

    `anchored` are notes and boxes in its cells.
    """

    def __init__(self, lines: Lines, words: Words) -> None:
        self.in_table = False
        self.anchored: list[Block] = []
        self._lines = lines
        self._words = words
        self._edges: list[_Edge] = []
        self._next = _Edge()
        self._cell = _Cell()
        self._cells: list[_Cell] = []
        self._rows: list[list[tuple[_Edge, _Cell]]] = []
        self._headers = 0
        self._is_header = False

    def define(self, word: str, number: int | None) -> None:
        """Take a control word that defines a row or a cell; others are passed over."""
        if word == "intbl":
            self.in_table = True
        elif word == "trowd":
            self._edges, self._next, self._is_header = [], _Edge(), False
        elif word == "trhdr":
            self._is_header = True
        elif word == "clmrg":
            self._next = replace(self._next, left_merged=True)
        elif word == "clvmrg":
            self._next = replace(self._next, above_merged=True)
        elif word == "clvmgf":
            self._next = replace(self._next, begins_merge=True)
        elif word == "cellx":
            self._edges.append(replace(self._next, right=number or 0))
            self._next = _Edge()

    def add_paragraph(self, text: str, bold: bool) -> None:
        """Add a paragraph to the cell."""
        self._cell.paragraphs.append(text)
        self._cell.bold &= bold

    def end_cell(self) -> None:
        """End the cell."""
        self._cells.append(self._cell)
        self._cell = _Cell()

    def end_row(self) -> None:
        """End the row."""
        if self._cell.paragraphs:
            self.end_cell()
        edges = self._edges[: len(self._cells)]
        last = edges[-1].right if edges else 0
        for at in range(len(edges), len(self._cells)):
            edges.append(_Edge(last + at - len(edges) + 1))
        self._rows.append(list(zip(edges, self._cells, strict=True)))
        self._headers += self._is_header and self._headers == len(self._rows) - 1
        self._cells = []

    def end(self) -> None:
        """Write the table, if there is one."""
        if self._cells or self._cell.paragraphs:
            self.end_row()
        rows, self._rows = self._rows, []
        headers, self._headers = self._headers, 0
        if not rows:
            return
        rights = sorted({edge.right for row in rows for edge, _ in row})
        ranks = {right: at for at, right in enumerate(rights)}
        labels: dict[int, Cell] = {}
        table = [self._row(row, ranks, labels) for row in rows]
        later, self.anchored = self.anchored, []
        if len({cell.column for row in table for cell in row if cell.text}) <= 1:
            for paragraph in [p for row in rows for _, cell in row for p in cell.paragraphs]:
                self._lines.add(paragraph)
        else:
            known = headers if 0 < headers < len(rows) else None
            self._lines.add("\n".join(table_lines(table, known, self._words)))
        self._lines.later += later

    def _row(
        self, row: list[tuple[_Edge, _Cell]], ranks: dict[int, int], labels: dict[int, Cell]
    ) -> Row:
        cells: Row = []
        column = 0
        for edge, held in row:
            after = max(ranks[edge.right] + 1, column + 1)
            text = in_one_line([Block(paragraph) for paragraph in held.paragraphs])
            cell = Cell(text, column, after - column, held.bold and bool(text))
            if edge.left_merged and cells and not text:
                cells[-1].span += cell.span
            elif edge.above_merged and not text and column in labels:
                cells.append(replace(labels[column], repeated=True))
            else:
                cells.append(cell)
                if edge.begins_merge and 0 < len(text) <= LABEL:
                    labels[column] = cell
            column = after
        return cells
