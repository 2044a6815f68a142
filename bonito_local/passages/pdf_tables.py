"""Tables in a page of a PDF: cells between ruling lines, and columns apart by wide gaps."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bonito_local.passages.blocks import join_lines, words_of
from bonito_local.passages.pdf_drawings import Rule
from bonito_local.passages.pdf_lines import Line, page_lines
from bonito_local.passages.pdf_pages import Word

_NEAR = 3.0  # points: rules as near as this meet, or are one
_OPEN_SIDE = 10.0  # points: rules that reach farther than the outermost column close it
_MOST_RULES = 600  # of a page: more are a drawing
_MOST_CELLS = 5_000
_UNRULED = 3  # lines in each cell: fewer are one row
_YEAR = re.compile(r"(?:19|20)\d\d(?:[/\u2013-]\d{2,4})?")
_BULLET = re.compile(r"[\u2022\u25cf\u25cb\u25aa\u25e6\uf0b7]\s*\S")
_SCRAMBLED = 0.25  # of the rows: where the page's order leaves the cells of more, it is no table
_FILLED = 0.4  # of the cells at least hold text: fewer are the grid of a chart


@dataclass(slots=True)
class Grid:
    """A table between ruling lines: where its columns and rows part, and the rules.

    `xs` grow to the right, `ys` fall. `parts` tells for two neighbouring cells whether a rule is
    between them.
    """

    xs: list[float]
    ys: list[float]
    levels: list[Rule]
    uprights: list[Rule]

    def holds(self, x: float, y: float) -> bool:
        """Whether a place is in the table."""
        return self.xs[0] <= x <= self.xs[-1] and self.ys[-1] <= y <= self.ys[0]

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return row and column of a place, where merged cells begin."""
        row = max(0, sum(y < edge for edge in self.ys) - 1)
        column = max(0, sum(x > edge for edge in self.xs) - 1)
        row, column = min(row, len(self.ys) - 2), min(column, len(self.xs) - 2)
        while column and not self._between(self.xs[column], row):
            column -= 1
        while row and not self._above(self.ys[row], column):
            row -= 1
        return row, column

    def _between(self, x: float, row: int) -> bool:
        middle = (self.ys[row] + self.ys[row + 1]) / 2
        return any(abs(r[0] - x) <= _NEAR and r[1] <= middle <= r[3] for r in self.uprights)

    def _above(self, y: float, column: int) -> bool:
        middle = (self.xs[column] + self.xs[column + 1]) / 2
        return any(abs(r[1] - y) <= _NEAR and r[0] <= middle <= r[2] for r in self.levels)


def find_grids(rules: Sequence[Rule], angle: int) -> list[Grid]:
    """Return the tables that ruling lines make, in the frame of text of this direction."""
    if not 4 <= len(rules) <= _MOST_RULES:
        return []
    turned = [_turned(rule, angle) for rule in rules]
    grids = []
    for group in _groups(turned):
        levels = [rule for rule in group if rule[1] == rule[3]]
        uprights = [rule for rule in group if rule[1] != rule[3]]
        xs = _merged([rule[0] for rule in uprights])
        ys = _merged([rule[1] for rule in levels])[::-1]
        if len(xs) > 1 and len(ys) > 1:
            xs = _closed(xs, [rule[0] for rule in levels], [rule[2] for rule in levels])
            ys = _closed(ys[::-1], [r[1] for r in uprights], [r[3] for r in uprights])[::-1]
        if len(xs) > 2 and len(ys) > 2 and len(xs) * len(ys) <= _MOST_CELLS:
            grids.append(Grid(xs, ys, levels, uprights))
    return grids


def turn(x: float, y: float, angle: int) -> tuple[float, float]:
    """Return a place of the page in the frame of text of this direction."""
    return {0: (x, y), 90: (y, -x), 180: (-x, -y), 270: (-y, x)}[angle]


def _turned(rule: Rule, angle: int) -> Rule:
    a, b = turn(rule[0], rule[1], angle), turn(rule[2], rule[3], angle)
    (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    return x0, y0, x1, y1


def _groups(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Group the rules that meet, one with another."""
    parent = list(range(len(rules)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    order = sorted(range(len(rules)), key=lambda at: rules[at][0])
    open_: list[int] = []
    for at in order:
        one = rules[at]
        open_ = [held for held in open_ if rules[held][2] + _NEAR >= one[0]]
        for held in open_:
            other = rules[held]
            if one[1] <= other[3] + _NEAR and other[1] <= one[3] + _NEAR:
                parent[root(at)] = root(held)
        open_.append(at)
    groups: dict[int, list[Rule]] = defaultdict(list)
    for at, rule in enumerate(rules):
        groups[root(at)].append(rule)
    return list(groups.values())


def _closed(places: list[float], starts: Sequence[float], ends: Sequence[float]) -> list[float]:
    """Add the sides of a table that have no rule of their own: its other rules reach to them."""
    first, last = min(starts), max(ends)
    before = [first] if first < places[0] - _OPEN_SIDE else []
    after = [last] if last > places[-1] + _OPEN_SIDE else []
    return [*before, *places, *after]


def _merged(places: Sequence[float]) -> list[float]:
    merged: list[float] = []
    for place in sorted(places):
        if not merged or place - merged[-1] > _NEAR:
            merged.append(place)
    return merged


def ruled_rows(grid: Grid, words: Sequence[Word], number: int) -> list[list[str]] | None:
    """Return the texts of a table's cells, row by row; None where it is no table.

    Words are in the page's order. Where that goes through the cells of a row line by line, the
    row is cut into lines; where it does not follow the cells at all, it is no table.
    """
    held: dict[int, list[tuple[int, Word]]] = defaultdict(list)
    for word in words:
        row, column = grid.cell((word.x0 + word.x1) / 2, word.y + word.size * 0.3)
        held[row].append((column, word))
    width = len(grid.xs) - 1
    mirrored = _is_mirrored(words)
    rows: list[list[str]] = []
    scrambled = 0
    for _, inside in sorted(held.items()):
        runs = _runs(inside)
        whole = len(runs) == len({column for column, _ in runs})
        lines = [] if whole or mirrored else _levels(runs)
        if lines:
            rows += [[_cell(line.get(at, []), number) for at in range(width)] for line in lines]
            continue
        scrambled += not whole
        cells: dict[int, list[Word]] = defaultdict(list)
        for column, word in inside:
            cells[column].append(word)
        row_lines = [page_lines(cells.get(at, []), (), number).lines for at in range(width)]
        rows += _unruled(row_lines) or [[_joined(lines) for lines in row_lines]]
    if mirrored:
        rows = [row[::-1] for row in rows]
    rows = [row for row in rows if any(row)]
    columns = [at for at in range(width) if any(row[at] for row in rows)]
    rows = [[row[at] for at in columns] for row in rows]
    full = sum(1 for row in rows if sum(map(bool, row)) > 1)
    filled = sum(bool(cell) for row in rows for cell in row)
    if len(rows) < 2 or len(columns) < 2 or full < 2 or filled < _FILLED * len(rows) * len(columns):
        return None
    return None if scrambled > _SCRAMBLED * len(held) else rows


def _runs(inside: Sequence[tuple[int, Word]]) -> list[tuple[int, list[Word]]]:
    """Group the words of a row, in the page's order, by the cell that they go on in."""
    runs: list[tuple[int, list[Word]]] = []
    for column, word in inside:
        if runs and runs[-1][0] == column:
            runs[-1][1].append(word)
        else:
            runs.append((column, [word]))
    return runs


def _levels(runs: Sequence[tuple[int, list[Word]]]) -> list[dict[int, list[Word]]]:
    """Cut a row that the page's order goes through line by line; none where it does not.

    Lines that go on with small letters are wrapped text, and stay one row.
    """
    lines: list[dict[int, list[Word]]] = []
    last = 0
    for column, words in runs:
        if not lines or column <= last:
            lines.append({})
        lines[-1][column] = words
        last = column
    tops = [max(word.y for words in line.values() for word in words) for line in lines]
    if any(below > above - 1 for above, below in pairwise(tops)):
        return []
    after = [words[0].text for line in lines[1:] for words in line.values()]
    wrapped = sum(text[0].islower() for text in after)
    return [] if 2 * wrapped >= len(after) else lines


def _cell(words: Sequence[Word], number: int) -> str:
    return _joined(page_lines(words, (), number).lines)


def _unruled(row: Sequence[Sequence[Line]]) -> list[list[str]]:
    """Cut a row whose cells hold as many lines, side by side, into rows without a rule between.

    Cells with wrapped text seldom hold as many lines, if these are three or more. Lists in
    neighbouring cells do, and stay whole.
    """
    most = max(map(len, row))
    full = [lines for lines in row if len(lines) == most]
    if most < _UNRULED or len(full) < 2:
        return []
    if any(_BULLET.match(line.text) for lines in full for line in lines):
        return []
    levels = [line.y for line in full[0]]
    cut = [[""] * len(row) for _ in levels]
    for column, lines in enumerate(row):
        for line in lines:
            near = min(range(most), key=lambda at: abs(levels[at] - line.y))
            if abs(levels[near] - line.y) > _NEAR or cut[near][column]:
                return []
            cut[near][column] = line.text
    return cut


def _joined(lines: Sequence[Line]) -> str:
    texts = [line.text for line in lines]
    return " ".join(join_lines(texts, words_of("\n".join(texts))).split())


def _is_mirrored(words: Sequence[Word]) -> bool:
    """Whether most words run from right to left: so do the columns."""
    return 2 * sum("\u0590" <= word.text[0] <= "\u08ff" for word in words) > len(words)


def spaced_rows(lines: Sequence[Line]) -> list[list[str]] | None:
    """Return the rows of lines whose cells stand in columns by wide gaps; None for no table."""
    counts = {len(line.cells) for line in lines}
    if len(lines) < 3 or len(counts) != 1 or counts == {0}:
        return None
    for at in range(counts.pop()):
        lefts = [line.cells[at][1] for line in lines]
        rights = [line.cells[at][2] for line in lines]
        size = lines[0].size
        if min(max(lefts) - min(lefts), max(rights) - min(rights)) > size:
            middles = [(a + b) / 2 for a, b in zip(lefts, rights, strict=True)]
            if max(middles) - min(middles) > size:
                return None
    if any(a.y <= b.y for a, b in pairwise(lines)):
        return None
    return [[text for text, _, _ in line.cells] for line in lines]


def names_columns(row: Sequence[str]) -> bool:
    """Whether a table's first row can name its columns: it holds no figures but years."""
    return not any(_is_figure(cell) or cell.endswith(":") for cell in row)


def _is_figure(cell: str) -> bool:
    signs = [sign for sign in cell if sign.isalnum()]
    return sum(map(str.isdigit, signs)) > len(signs) / 2 and not _YEAR.fullmatch(cell)
