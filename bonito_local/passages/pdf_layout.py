"""Lines of a PDF to pieces: headings, paragraphs, items of lists and tables."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bonito_local.passages.pdf_lines import Line

_BULLET = re.compile(r"[\u2022\u25cf\u25cb\u25aa\u25a0\u25e6\u2023\u2043\u2219\u00b7\uf0b7\uf0a7"
                     r"\u25ba\u27a2\u2013\u2014*-](?=\s|$)\s*")  # fmt: skip
_DASHES = "*-\u2013\u2014\u00b7"  # may begin a wrapped line as well
_NUMBERED = re.compile(r"(?:\(?\d{1,2}[.)]|\(?[a-z]\)|\([ivx]{1,4}\)|\[\d{1,3}\])\s+\S")
SENTENCE_END = re.compile(r"[.!?:;\u3002][\"'\u201d\u2019)\]\u00b9\u00b2\u00b3\u2070-\u2079]*$")
_NOTE = re.compile(r"[\u00b9\u00b2\u00b3\u2070-\u2079]+\s")  # a footnote's mark
_OPEN = re.compile(r"(?:\band|\bor|[:;,.])$")  # what the line before an item may end with
_LARGER, _SAME = 1.1, 0.08  # of the size: of a heading, and of what counts as equal
_GAP = 1.3  # times the distance of lines: a wider one parts paragraphs
_INDENT = 0.8  # of the size
_HEADING, _HEADING_LINES = 150, 3
_MOST_HEADINGS = 4  # one below the other
_NARROW = 25  # characters: a line as short that ends no sentence is one of a list
_NEIGHBOURS = 4  # lines before and after, for the column's width


@dataclass(slots=True)
class Piece:
    """A heading, paragraph, item or table. `soft` pieces begin on a new line of the same block."""

    kind: str
    page: int
    lines: list[str]
    level: int = 0
    marker: str = ""
    soft: bool = False
    size: float = 0.0
    bold: bool = False


@dataclass(slots=True)
class Table:
    """The rows of a table, a line each, and its place in its page's order.

    `plain` are the rows' cells alone, without the names of columns on each row.
    """

    page: int
    rows: list[str]
    order: float
    plain: list[str]


@dataclass(slots=True)
class Measures:
    """Of a document: the size and weight of its body, the distance of lines by their size."""

    body: float = 10.0
    bold: bool = False
    usual: float = 1.25
    distances: dict[int, float] = field(default_factory=dict)

    def distance(self, size: float) -> float:
        """Return how far the lines of a paragraph of this size are apart."""
        return self.distances.get(round(2 * size), self.usual * size)


def measure(pages: Iterable[Sequence[Line]]) -> Measures:
    """Measure a document's lines."""
    sizes: Counter[tuple[float, bool]] = Counter()
    going_on: dict[int, list[float]] = defaultdict(list)
    ratios: list[float] = []
    for lines in pages:
        for line in lines:
            sizes[round(2 * line.size) / 2, line.bold] += len(line.text)
        for one, other in pairwise(lines):
            apart = one.y - other.y
            if one.angle == other.angle and _alike(one, other) and 0 < apart < 4 * one.size:
                ratios.append(apart / one.size)
                if other.text[:1].islower():
                    going_on[round(2 * one.size)].append(apart)
    if not sizes:
        return Measures()
    plain: Counter[float] = Counter()
    for (size, _), count in sizes.items():
        plain[size] += count
    body = plain.most_common(1)[0][0]
    distances = {size: statistics.median(held) for size, held in going_on.items()}
    if round(2 * body) in distances:
        usual = distances[round(2 * body)] / body
    else:
        usual = min(1.6, sorted(ratios)[len(ratios) // 5]) if ratios else 1.25
    return Measures(body, sizes[body, True] > sizes[body, False], usual, distances)


def pieces_of(page: Sequence[Line | Table], measures: Measures) -> Iterator[Piece]:
    """Yield the pieces of a page, in its order."""
    lines: list[Line] = []
    for held in page:
        if isinstance(held, Line):
            lines.append(held)
            continue
        yield from _prose(lines, measures)
        lines = []
        yield Piece("table", held.page, held.rows)
    yield from _prose(lines, measures)


def level_headings(pieces: Sequence[Piece], measures: Measures) -> None:
    """Give headings their levels: the largest is 1, bold ones of the body's size come last."""
    _demote_runs(pieces)
    sizes = {round(2 * piece.size) for piece in pieces if piece.kind == "heading"}
    larger = sorted(
        (size for size in sizes if size > 2 * measures.body * _LARGER - 1), reverse=True
    )
    levels = {size: min(6, at) for at, size in enumerate(larger, start=1)}
    for piece in pieces:
        if piece.kind == "heading":
            piece.level = levels.get(round(2 * piece.size), min(6, len(levels) + 1))


def _demote_runs(pieces: Sequence[Piece]) -> None:
    """Take a long run of headings, without text below each, for the lines of a list."""
    run: list[Piece] = []
    for piece in [*pieces, Piece("", 0, [])]:
        if piece.kind == "heading":
            run.append(piece)
            continue
        if len(run) > _MOST_HEADINGS:
            for held in run:
                held.kind, held.level, held.soft = "paragraph", 0, held is not run[0]
        run = []


def _prose(lines: Sequence[Line], measures: Measures) -> Iterator[Piece]:
    lines = _with_bullets(lines)
    group: list[Line] = []
    soft = False
    for at, line in enumerate(lines):
        gap = _break(lines, at, group, measures) if group else "hard"
        if gap and group:
            yield _piece(group, measures, soft=soft)
            group = []
        if gap:
            soft = gap == "soft"
        group.append(line)
    if group:
        yield _piece(group, measures, soft=soft)


def _with_bullets(lines: Sequence[Line]) -> list[Line]:
    """Join a bullet that stands alone, a little higher or lower, to the line beside it."""
    joined: list[Line] = []
    for line in lines:
        before = joined[-1] if joined else None
        if (
            before
            and _BULLET.fullmatch(before.text)
            and before.angle == line.angle
            and abs(before.y - line.y) < line.size
            and before.x1 <= line.x0
        ):
            joined.pop()
            line.text, line.x0 = f"{before.text} {line.text}", before.x0
        joined.append(line)
    return joined


def _alike(one: Line, other: Line) -> bool:
    return abs(one.size - other.size) <= _SAME * max(one.size, other.size)


def _break(lines: Sequence[Line], at: int, group: Sequence[Line], measures: Measures) -> str:
    """Return what parts a line from the one before: "hard", "soft" or nothing."""
    before, line = lines[at - 1], lines[at]
    ended = bool(SENTENCE_END.search(before.text))
    goes_on = line.text[:1].islower() and not ended
    apart = before.y - line.y
    overlap = min(before.x1, line.x1) - max(before.x0, line.x0)
    if before.angle != line.angle or apart <= 0 or overlap < -3 * line.size:
        return "hard"
    if not _alike(before, line):
        return "hard"
    usual = measures.distance(line.size)
    if apart > _GAP * usual and not (goes_on and apart < 2 * usual):
        return "hard"
    short = _fits(lines, at) or (len(before.text) < _NARROW and not goes_on)
    if _BULLET.match(line.text) and (
        line.text[0] not in _DASHES
        or short
        or ended
        or before.x0 != line.x0
        or _BULLET.match(group[0].text)
    ):
        return "hard"
    if _NUMBERED.match(line.text) and _begins_item(before, line, group, short=short):
        return "hard"
    if before.bold != line.bold and short and not goes_on:
        return "hard"
    if _NOTE.match(line.text) and (short or ended):
        return "hard"
    return _by_indent(before, line, group, short=short, ended=ended, goes_on=goes_on)


def _by_indent(
    before: Line, line: Line, group: Sequence[Line], *, short: bool, ended: bool, goes_on: bool
) -> str:
    indent = line.x0 - before.x0
    listed = bool(_BULLET.match(group[0].text) or _NUMBERED.match(group[0].text))
    if goes_on:
        return ""
    if indent > _INDENT * line.size and not (listed and len(group) == 1):
        # A first line is indented; so are the lines after the first of a hanging paragraph.
        if ended or short:
            return "hard" if ended else "soft"
    elif indent < -_INDENT * line.size and (len(group) > 1 or (listed and short)):
        return "hard"
    if short:
        return "hard" if ended and (len(group) > 2 or listed) else "soft"
    return ""


def _begins_item(before: Line, line: Line, group: Sequence[Line], *, short: bool) -> bool:
    """Whether a line that begins with a number or a bracket is an item, and no wrapped line."""
    if short or abs(line.x0 - before.x0) > _INDENT * line.size:
        return True
    if _NUMBERED.match(group[0].text) and abs(group[0].x0 - line.x0) < 1:
        return bool(_OPEN.search(before.text))
    return bool(SENTENCE_END.search(before.text)) and not line.text.startswith("(")


def _fits(lines: Sequence[Line], at: int) -> bool:
    """Whether the first word of a line would have had room on the line before."""
    before, line = lines[at - 1], lines[at]
    near = lines[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
    right = max(
        held.x1
        for held in near
        if _alike(held, line) and held.angle == line.angle and held.x0 < before.x1
    )
    return before.x1 + 0.3 * line.size + line.first <= right - 0.1 * line.size


def _piece(group: Sequence[Line], measures: Measures, *, soft: bool) -> Piece:
    first = group[0]
    lines = [line.text for line in group]
    bold = all(line.bold for line in group)
    bullet = _BULLET.match(lines[0])
    if bullet and lines[0][bullet.end() :].strip():
        lines[0] = lines[0][bullet.end() :]
        return Piece("item", first.page, lines, marker="- ")
    if _NUMBERED.match(lines[0]) and not _is_heading(group, lines, measures, bold=bold):
        return Piece("item", first.page, lines)
    if _is_heading(group, lines, measures, bold=bold):
        return Piece("heading", first.page, lines, 1, size=first.size, bold=bold)
    return Piece("paragraph", first.page, lines, soft=soft)


def _is_heading(
    group: Sequence[Line], lines: Sequence[str], measures: Measures, *, bold: bool
) -> bool:
    text = " ".join(lines)
    if len(lines) > _HEADING_LINES or len(text) > _HEADING or text[-1:] in ",;":
        return False
    if (
        sum(map(str.isalpha, text)) <= sum(map(str.isdigit, text))
        or text[:1].islower()
        or group[0].angle % 90
    ):
        return False
    larger = min(line.size for line in group) >= _LARGER * measures.body
    if larger:
        return not (text.endswith(".") and len(text) > 60)
    level = min(line.size for line in group) >= (1 - _SAME) * measures.body
    return level and bold and not measures.bold and not SENTENCE_END.search(text)
