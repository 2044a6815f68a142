"""What readers add to a document's text on purpose, taken out before texts are compared.

Called by ingest_fidelity.py: names of columns on every row and numbers of lists stand in no text
element of the file; markitdown adds comments, names of pictures, "NaN" for empty cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bonito_local.passages.office import opendocument, regions, slides, word
from bonito_local.passages.office.grid import Header, Row, header_of
from bonito_local.passages.office.wordstyles import Numbering

_LABEL = re.compile(
    r"(?m)^[\s#*>|_-]*(?:\(?(?:\d+(?:\.\d+)*|[A-Za-z]|[ivxIVX]{1,5})[.)]|\d+(?:\.\d+)+)\s+"
)
_DECORATION = re.compile(
    r"<!--.*?-->|### Notes:|!\[[^\]]*\]\([^)]*\)|\bNaN\b|\bUnnamed: \d+", re.DOTALL
)


def without_numbers(text: str) -> str:
    """Drop the words that hold a figure: programs show dates and numbers differently."""
    return " ".join(word for word in text.split() if not any(map(str.isdigit, word)))


def undecorated(text: str) -> str:
    """Drop what markitdown adds of its own: comments, pictures, empty cells, numbers of lists."""
    return _LABEL.sub("", _DECORATION.sub("", text))


def plain_office() -> None:
    """Have the readers write tables without names of columns, and lists without numbers.

    No text element holds the numbers, and a name stands once in the file.
    """
    tables = (word, slides, opendocument)
    for module in tables:
        module.table_lines = _plain_lines  # type: ignore[attr-defined]
    regions.named_lines = _plain_named  # type: ignore[attr-defined]
    regions.header_of = _header_of  # type: ignore[attr-defined]
    label = Numbering.label
    Numbering.label = lambda *where: _bullet(label(*where))  # type: ignore[method-assign]
    for module in (slides, opendocument):
        module._label = _unlabelled(module._label)  # type: ignore[attr-defined]


def _unlabelled(label: Callable[..., str]) -> Callable[..., str]:
    return lambda *where: _bullet(label(*where))


def _bullet(label: str) -> str:
    return label if label == "-" else ""


def _plain_lines(rows: Sequence[Row], *_: object) -> list[str]:
    return [" ".join(c.text for c in row if c.text and not c.repeated) for row in rows]


# The rows of names that each header was made of; none once they are written.
_heads: dict[int, tuple[Header, list[str]]] = {}


def _header_of(rows: Sequence[Row]) -> Header:
    header = header_of(rows)
    _heads[id(header)] = header, _plain_lines(rows)
    return header


def _plain_named(rows: Sequence[Row], header: Header, _: object) -> list[str]:
    header, lines = _heads.get(id(header), (header, []))
    _heads[id(header)] = header, []
    return lines + _plain_lines(rows)
