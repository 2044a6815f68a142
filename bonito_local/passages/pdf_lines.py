"""Words of a page of a PDF to its lines: raised marks, drop capitals, line numbers, watermarks."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from bonito_local.passages.pdf_forms import Field
from bonito_local.passages.pdf_pages import Word

_RAISED = str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
_MARK = re.compile(r"[+-]?[(\d]?\d{0,3}[)\d]?")
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_MARKER = re.compile(r"\W{1,2}|\(?\w{1,4}[.)]|\d{1,2}(?:\.\d+)*\.?|\[\w{1,6}\]")  # of an item
_SMALLER = 0.85  # of the line's size, for a mark
_LEVEL = 0.25  # of the size: how far baselines of one line may be apart
_CELL = 1.5  # of the size: a gap as wide parts two cells
_STRETCHED = 4  # words apart by equal gaps: a justified line
_LEAST_NUMBERS = 5  # a margin with fewer is no numbering of lines
_WATERMARK_WORDS, _WATERMARK_SIZE = 8, 1.5


@dataclass(slots=True)
class Line:
    """Words on one baseline. `x0`, `x1`, `y`, `size` are in the frame of its own direction.

    `cells` are the texts between wide gaps with the places where they start and end. `first` is
    the width of the first word. `page` is 1-based. `order` is its place in the page's order,
    `depth` its distance from the top as a share of the page's height. Lines of words that run
    from right to left are mirrored.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    angle: int
    page: int
    first: float
    order: float
    cells: tuple[tuple[str, float, float], ...] = ()
    depth: float = 0.0


@dataclass(slots=True)
class _Row:
    words: list[Word] = field(default_factory=list)
    x0: float = 0.0
    x1: float = 0.0
    y: float = 0.0
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a page in its order, and what was left out of them."""

    lines: list[Line]
    watermarks: list[str]
    numbers: list[str]
    capitals: list[str]  # words whose first letter is a drop capital
    labels: list[str]  # names of form fields, put before values that have no label


def page_lines(
    words: Sequence[Word],
    fields: Sequence[Field],
    number: int,
    places: Mapping[int, int] = MappingProxyType({}),
) -> Lines:
    """Put the words of a page on lines, and the values of form fields after their labels.

    `places` are the words' places in the page's order, by identity.
    """
    order = places or {id(word): at for at, word in enumerate(words)}
    capitals: list[str] = []
    rows = list(_rows(words, capitals))
    numbers = _line_numbers(rows)
    rows = [row for row in rows if row.words]
    watermarks = _watermarks(rows)
    rows = [row for row in rows if row.words]
    labels = _fill_in(rows, fields)
    lines = [_line(row, number, order.get(id(row.words[0]), len(order))) for row in rows]
    return Lines(lines, watermarks, numbers, capitals, labels)


def _rows(words: Iterable[Word], capitals: list[str]) -> Iterator[_Row]:
    row = _Row()
    for word in words:
        if row.words and _drop_capital(row, word):
            capital = row.words.pop()
            word.text, word.x0, word.space = capital.text + word.text, capital.x0, "\n"
            row = _Row()
            capitals.append(word.text)
        if row.words and not _on(row, word):
            yield row
            row = _Row()
        _put(row, word)
    if row.words:
        yield row


def _put(row: _Row, word: Word) -> None:
    if not row.words:
        row.x0, row.x1, row.y, row.size = word.x0, word.x1, word.y, word.size
    else:
        before = row.words[-1]
        if word.space == "\n" and not -0.5 < word.x0 - before.x1 < 0.1 * row.size:
            word.space = " "
        elif word.space == "\n":
            word.space = ""
        if word.size > row.size * 1.1:  # what came first was a mark
            row.y, row.size = word.y, word.size
        row.x0, row.x1 = min(row.x0, word.x0), max(row.x1, word.x1)
    row.words.append(word)


def _on(row: _Row, word: Word) -> bool:
    """Whether a word goes on with a line."""
    before = row.words[-1]
    if word.angle != before.angle:
        return False
    size = max(row.size, word.size)
    apart = abs(word.y - row.y)
    level = apart <= _LEVEL * min(row.size, word.size)
    if not level:
        small = min(row.size, word.size) <= _SMALLER * size
        near = word.x0 - row.x1 <= 0.6 * size
        if not small or not near or apart > 0.75 * size:
            return False
    if word.x0 >= row.x1 - 0.5 * size:
        return True
    return word.x1 <= row.x0 + 0.5 * size and bool(_RTL.search(word.text + before.text))


def _drop_capital(row: _Row, word: Word) -> bool:
    (letter, *others) = row.words
    return (
        not others
        and len(letter.text) == 1
        and letter.text.isalpha()
        and letter.size > 1.8 * word.size
        and letter.angle == word.angle
        and letter.y - 0.2 * word.size < word.y < letter.y + letter.size
        and -0.2 * word.size < word.x0 - letter.x1 < word.size
        and word.text[:1].islower()
    )


def _line(row: _Row, page: int, order: int) -> Line:
    pieces: list[str] = []
    cells: list[tuple[str, float, float]] = []
    start = row.words[0].x0
    end = row.words[0].x1
    at = 0
    for word, after in zip(row.words, [*row.words[1:], None], strict=True):
        raised = (
            word.y - row.y > 0.15 * row.size
            and word.size <= _SMALLER * row.size
            and bool(_MARK.fullmatch(word.text))
            and not (after and after.space == "" and after.text[:1].isalnum() and word.space == "")
        )
        if pieces and word.x0 - end > _CELL * row.size and not _MARKER.fullmatch("".join(pieces)):
            cells.append(("".join(pieces[at:]).strip(), start, end))
            at, start, end = len(pieces), word.x0, word.x1
        pieces.append(" " * (word.space != "" and bool(pieces)))
        pieces.append(word.text.translate(_RAISED) if raised else word.text)
        start, end = min(start, word.x0), max(end, word.x1)
    if cells:
        cells.append(("".join(pieces[at:]).strip(), start, end))
    if _is_stretched(cells, row.size):
        cells = []
    size = row.size
    bold = all(word.bold for word in row.words if any(map(str.isalnum, word.text)))
    first, text, x0, x1 = row.words[0], "".join(pieces), row.x0, row.x1
    if len(_RTL.findall(text)) > len(text) / 3:
        x0, x1, cells = -x1, -x0, []
    return Line(
        text, x0, x1, row.y, size, bold, first.angle, page, first.x1 - first.x0, order, tuple(cells)
    )


def _is_stretched(cells: Sequence[tuple[str, float, float]], size: float) -> bool:
    """Whether cells are the words of a justified line: all gaps between them are as wide."""
    if len(cells) < _STRETCHED or any(" " in text for text, _, _ in cells):
        return False
    gaps = [after[1] - before[2] for before, after in pairwise(cells)]
    return max(gaps) - min(gaps) <= 0.3 * size


def _line_numbers(rows: Sequence[_Row]) -> list[str]:
    """Take the numbers of lines out of the margin. Return them.

    They stand in a column of their own, beside all that is between the first and the last of
    them, and count the lines by ones, twos, fives or tens.
    """
    taken: list[str] = []
    for at in (0, -1):  # the left margin, the right one
        edges: dict[int, list[tuple[_Row, Word]]] = defaultdict(list)
        for row in rows:
            word = row.words[at] if row.words else None
            if word and word.text.isdecimal() and len(word.text) < 5:
                edges[round((word.x1 if at == 0 else word.x0) / 3)].append((row, word))
        for edge in list(edges):
            column = [*edges[edge], *edges.get(edge + 1, ())]
            if len(column) < _LEAST_NUMBERS or not _count_lines(column, rows, at):
                continue
            for row, word in column:
                row.words.remove(word)
                taken.append(word.text)
                if row.words:
                    row.x0 = min(held.x0 for held in row.words)
                    row.x1 = max(held.x1 for held in row.words)
            break
    return taken


def _count_lines(column: Sequence[tuple[_Row, Word]], rows: Sequence[_Row], at: int) -> bool:
    column = sorted(column, key=lambda held: -held[1].y)
    values = [int(word.text) for _, word in column]
    steps = Counter(b - a for a, b in pairwise(values))
    step, often = steps.most_common(1)[0]
    if step not in (1, 2, 5, 10) or often < 0.8 * (len(values) - 1):
        return False
    numbers = {id(word) for _, word in column}
    top, bottom = column[0][1].y, column[-1][1].y
    left = max(word.x1 for _, word in column)
    right = min(word.x0 for _, word in column)
    beside, going_on = 0, 0
    for row in rows:
        if not bottom - 1 <= row.y <= top + 1:
            continue
        others = [word for word in row.words if id(word) not in numbers]
        if not others:
            continue
        if any(word.x0 < left if at == 0 else word.x1 > right for word in others):
            return False
        beside += 1
        going_on += others[0].text[:1].islower()
    gaps = [a[1].y - b[1].y for a, b in pairwise(column)]
    even = max(gaps) <= 2.2 * max(0.1, statistics.median(gaps))
    return even and (beside == 0 or going_on >= 0.25 * beside)


def _watermarks(rows: Sequence[_Row]) -> list[str]:
    """Take a few slanted words, or large ones under the lines, out. Return their texts."""
    sizes = Counter[float]()
    for row in rows:
        sizes[round(row.size, 1)] += sum(len(word.text) for word in row.words)
    body = sizes.most_common(1)[0][0] if sizes else 0
    taken = []
    for row in rows:
        few = len(row.words) <= _WATERMARK_WORDS
        large = row.size >= _WATERMARK_SIZE * body
        if few and large and (row.words[0].angle % 90 or _lies_under(row, rows, body)):
            taken.append(" ".join(word.text for word in row.words))
            row.words = []
    return taken


def _lies_under(row: _Row, rows: Sequence[_Row], body: float) -> bool:
    """Whether a large line takes the place of lines of text."""
    return row.size >= 2 * body and any(
        other is not row
        and other.words
        and other.size <= 1.3 * body
        and other.words[0].angle == row.words[0].angle
        and row.y - 0.1 * row.size < other.y < row.y + 0.6 * row.size
        and min(other.x1, row.x1) - max(other.x0, row.x0) > 0.3 * (row.x1 - row.x0)
        for other in rows
    )


def _fill_in(rows: list[_Row], fields: Sequence[Field]) -> list[str]:
    """Put the values of form fields after their labels: on the same line, else the one above.

    Return the names of fields that stand for a label.
    """
    labels: list[str] = []
    for filled in fields:
        left, bottom, right, top = filled.box
        middle = (bottom + top) / 2
        value = Word(filled.value, left, right, bottom, 0.0, False, 0, " ")
        level = [
            row
            for row in rows
            if row.words
            and row.words[0].angle == 0
            and (bottom - 2 <= row.y <= top + 2 or row.y <= middle <= row.y + row.size)
            and row.x0 < right
        ]
        before = [row for row in level if row.x0 <= left]
        if not before:
            above = [
                row
                for row in rows
                if row.words and row.y >= top - 2 and row.y - top < 2.5 * row.size
                and row.words[0].angle == 0 and row.x0 < right and row.x1 > left
            ]  # fmt: skip
            before = above[-1:]
        if before:
            row = max(before, key=lambda row: (row.x0, -abs(row.y - middle)))
            place = next(
                (at for at, word in enumerate(row.words) if word.x0 > left + 1), len(row.words)
            )
            value.y, value.size = row.y, row.size
            row.words.insert(place, value)
            row.x1 = max(row.x1, value.x0)
            value.x0 = value.x1 = row.words[place - 1].x1 if place else row.x0
        else:
            value.text = f"{filled.name}: {filled.value}" if filled.name else filled.value
            value.size = 10.0
            labels += [filled.name] if filled.name else []
            rows.append(_Row([value], left, right, bottom, 10.0))
    return labels
