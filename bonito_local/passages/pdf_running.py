"""Running headers, footers and page numbers of a PDF: lines that its pages share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from bonito_local.passages.pdf_lines import Line

_PAGE_LABEL = re.compile(
    r"\W*(?:page|p\.)?\s*(?:\d{1,4}|[ivx]{1,5})(?:\s*(?:of|/)\s*\d{1,4})?\W*", re.IGNORECASE
)
_EDGE = 4  # lines at the top and at the bottom of a page that may be running ones
_BAND = 0.15  # of the page's height, at the top and at the bottom
_SHARE, _COUNTED = 0.3, 0.5  # of the pages that share a line, or whose lines count the pages
_MOST_REPEATED = 0.3  # of the words: more at the same places are the pages' text
_ALL, _LEAST = 0.7, 3  # of the pages that have a line at the same place, wherever that is
_FEW = 2  # running lines of one edge; more must be on three pages
_PLACES = 200  # to a page's height
_APART = 1.3  # times the distance of lines: a running line stands apart


def drop_running(pages: Sequence[list[Line]]) -> list[str]:
    """Take running lines out of pages. Return their texts.

    They repeat, or count the pages, at the top or at the bottom; or they stand at the same place
    on nearly every page. A page whose every line is repeated keeps them.
    """
    seen: Counter[str | int] = Counter()
    placed: Counter[tuple[str, int]] = Counter()
    for lines in pages:
        ends = {id(line): line for edge in _edges(lines) for line in edge}
        seen.update({key for line in ends.values() for key in _keys(line.text, line.page)})
        placed.update({(_plain(line.text), _place(line)) for line in lines})
    filled = sum(bool(lines) for lines in pages)
    if _words(line for lines in pages for line in _everywhere(lines, placed, filled)) > (
        _MOST_REPEATED * _words(line for lines in pages for line in lines)
    ):
        placed.clear()  # the pages are alike: what they share is their text
    dropped: list[str] = []
    for lines in pages:
        doomed: set[int] = set()
        for edge in _edges(lines):
            doomed |= {id(line) for line in _running(edge, lines, seen, filled)}
        for line in _everywhere(lines, placed, filled):
            if _stands_apart(line, [line], lines):
                doomed.add(id(line))
        left = [line for line in lines if id(line) not in doomed]
        if not left and len(lines) > 2:
            continue
        dropped += [line.text for line in lines if id(line) in doomed]
        lines[:] = left
    return dropped


def _everywhere(
    lines: Sequence[Line], placed: Counter[tuple[str, int]], filled: int
) -> Iterator[Line]:
    """Yield the lines that stand at the same place on nearly every page."""
    for line in lines if filled >= _LEAST else ():
        same = sum(placed[_plain(line.text), _place(line) + by] for by in (-1, 0, 1))
        if same >= _ALL * filled:
            yield line


def _words(lines: Iterable[Line]) -> int:
    return sum(len(line.text.split()) for line in lines)


def _edges(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    ordered = sorted(lines, key=lambda line: line.depth)
    top = [line for line in ordered[:_EDGE] if line.depth <= _BAND]
    bottom = [line for line in ordered[: -_EDGE - 1 : -1] if line.depth >= 1 - _BAND]
    return top, bottom


def _running(
    edge: Sequence[Line], lines: Sequence[Line], seen: Counter[str | int], filled: int
) -> list[Line]:
    """Return the lines of an edge, from outside, that are running ones and stand apart."""
    often = max(2, filled * _SHARE)
    counted = max(3, filled * _COUNTED)
    running: list[Line] = []
    for line in edge:
        text = line.text.strip()
        shared = any(
            seen[key] >= (counted if isinstance(key, int) else often)
            for key in _keys(text, line.page)
        )
        if not (_PAGE_LABEL.fullmatch(text) or shared):
            break
        running.append(line)
    if len(running) > _FEW and not all(_PAGE_LABEL.fullmatch(line.text) for line in running):
        # A paragraph that two pages share is no header.
        many = [any(seen[k] >= _LEAST for k in _keys(line.text, line.page)) for line in running]
        running = running[: many.index(False)] if False in many else running
    while running and not _stands_apart(running[-1], running, lines):
        running.pop()
    return running


def _stands_apart(last: Line, running: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether the next line is farther away than lines of one paragraph are, or looks different."""
    outside = {id(line) for line in running}
    others = [line for line in lines if id(line) not in outside]
    if not others:
        return True
    near = min(others, key=lambda line: abs(line.y - last.y))
    if near.angle != last.angle or abs(near.size - last.size) > 0.08 * near.size:
        return True
    gap = abs(near.y - last.y)
    inside = [
        abs(a.y - b.y)
        for a, b in pairwise(others)
        if abs(a.size - near.size) < 0.1 and 0 < abs(a.y - b.y) < 4 * near.size
    ]
    usual = min(inside) if inside else 1.2 * near.size
    return gap > _APART * usual or gap < 0.5 * near.size


def _plain(text: str) -> str:
    return text.strip().lower()


def _place(line: Line) -> int:
    return round(line.depth * _PLACES)


def _keys(line: str, page: int) -> Iterator[str | int]:
    """Yield what shows that a line belongs to the pages: equal on several of them.

    The line itself; the line with its first number counted from the page's; and how far
    the number at its end, if there is one, is from the page's.
    """
    line = line.strip().lower()
    yield line
    numbers = list(re.finditer(r"\d{1,6}", line))
    if numbers:
        first, last = numbers[0], numbers[-1]
        yield f"{line[: first.start()]}\0{int(first[0]) - page}{line[first.end() :]}"
        if last.end() == len(line):
            yield int(last[0]) - page
