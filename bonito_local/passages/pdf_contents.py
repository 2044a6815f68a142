"""Tables of contents of a PDF: runs of lines whose dots lead to the number of a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from bonito_local.passages.pdf_lines import Line

_LEADERS = re.compile(r"(?:\.\s?){5,}")
_ENTRY = re.compile(r"(?:\.\s?){5,}\s*(?:(\d{1,4})|([ivxl]{1,7}))$", re.IGNORECASE)
_TITLE = re.compile(
    r"(?:(?:table of |list of )?contents|list of (?:figures|tables)|inhalt(?:sverzeichnis)?"
    r"|sommaire|table des matières|índice|indice|sommario|inhoud(?:sopgave)?|sumário|innehåll"
    r"|spis treści|obsah|оглавление|содержание)",
    re.IGNORECASE,
)
_LEAST = 3  # entries; fewer lines with dots are of a form, or of a list of prices
_BETWEEN = 2  # lines between two entries: wrapped titles, and titles of parts without a page
_FALLING = 0.1  # of the entries: where the numbers of more fall, they are not those of pages
_MORE_PAGES = 20  # than the document has, where its pages are counted from another number


def contents_lines(pages: Sequence[Sequence[Line]]) -> set[int]:
    """Return the identities of the lines that are entries of a table of contents.

    A run of entries is one where its numbers do not fall, and either a title says so or the
    numbers are those of the document's pages. Lines of a form repeat the number that they begin
    with: they are none.
    """
    picked: set[int] = set()
    goes_on = False  # the page before ended inside a table of contents
    for lines in pages:
        titled = goes_on
        runs = _runs(lines)
        for run in runs:
            before = lines[max(0, run[0] - 8) : run[0]]
            titled = titled or any(_TITLE.fullmatch(line.text.strip(" .:")) for line in before)
            entries = [lines[at] for at in run]
            if _is_contents(entries, len(pages), titled=titled):
                picked |= {id(line) for line in entries}
            else:
                titled = False
        goes_on = bool(runs) and id(lines[runs[-1][-1]]) in picked and titled
    return picked


def without_leaders(text: str) -> str:
    """Return a line with its leading dots as one ellipsis."""
    return _LEADERS.sub("… ", text).strip()


def has_leaders(text: str) -> bool:
    """Whether dots in a line lead to what is at its end."""
    return bool(_LEADERS.search(text))


def _runs(lines: Sequence[Line]) -> list[list[int]]:
    """Return the places of entries that follow each other."""
    runs: list[list[int]] = []
    for at, line in enumerate(lines):
        if not _ENTRY.search(line.text):
            continue
        if runs and at - runs[-1][-1] <= _BETWEEN + 1:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _is_contents(entries: Sequence[Line], pages: int, *, titled: bool) -> bool:
    ends = [match for line in entries if (match := _ENTRY.search(line.text))]
    numbers = [int(match[1]) for match in ends if match[1]]
    if len(entries) < _LEAST and not titled:
        return False
    falling = sum(b < a for a, b in pairwise(numbers))
    if falling > _FALLING * len(numbers):
        return False
    repeated = sum(
        line.text.split(maxsplit=1)[0].strip(".") == (match[1] or match[2])
        for line, match in zip(entries, ends, strict=True)
    )
    if 2 * repeated > len(entries):
        return False
    return titled or max(numbers, default=0) <= pages + _MORE_PAGES
