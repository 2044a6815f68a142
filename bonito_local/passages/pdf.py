"""PDF: layout nodes to blocks, without what repeats on every page."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from bonito_local.passages.blocks import Block, join_lines, rows_as_prose, tidy, words_of
from bonito_local.passages.plain import plain_blocks

_PAGE_LABEL = re.compile(
    r"\W*(?:page|p\.)?\s*(?:\d{1,4}|[ivx]{1,5})(?:\s*(?:of|/)\s*\d{1,4})?\W*", re.IGNORECASE
)
_TRAILING_LABEL = re.compile(r"(?<=\x02)Page \d+(?: of \d+)?$")  # glued to a word cut in two
_LEADERS = re.compile(r"(?:\.\s?){5,}\s*\w*$")  # a line of a table of contents
_NUMBERED = re.compile(r"\s*(?:\(?\d{1,2}[.)]|\(?[a-z]\))\s+\S")
_EDGE = 2  # lines at the top and at the bottom of a page that may be its furniture
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*$")


@dataclass(slots=True)
class _Piece:
    kind: str  # "heading", "paragraph", "item" or "table"
    page: int
    lines: list[str]
    level: int = 0
    marker: str = ""


def pdf_blocks(
    nodes: Sequence[Mapping[str, Any]],
    pages: Mapping[int, str],
    seen: Mapping[int, str] = MappingProxyType({}),
) -> list[Block]:
    """Turn kreuzberg's document nodes into blocks with their pages.

    `pages` holds the bare text of each page, for those whose layout was misread, `seen` what
    text recognition saw on pages without. Blocks without text stand for pages without.
    Running headers, footers and page numbers are dropped, hyphenated words healed, and
    paragraphs that go on over the page joined.
    """
    pieces = _mended(list(_pieces(nodes, pages)), pages)
    if seen:
        scans = [piece for page, text in seen.items() for piece in _bare_pieces(text, page)]
        pieces, pages = sorted([*pieces, *scans], key=attrgetter("page")), {**pages, **seen}
    _drop_furniture(pieces)
    pieces = [piece for piece in pieces if piece.lines]
    _demote(pieces)
    words = words_of("\n".join(line for piece in pieces for line in piece.lines))
    textless = [page for page, text in sorted(pages.items()) if not text.strip()]
    return [*_blocks(pieces, words), *(Block("", pages=((0, page),)) for page in textless)]


def _mended(pieces: Sequence[_Piece], pages: Mapping[int, str]) -> list[_Piece]:
    """Read anew, from its bare text, each page whose prose was taken for a table."""
    misread = {piece.page for piece in pieces if piece.kind == "false table"}
    mended: list[_Piece] = []
    for piece in pieces:
        if piece.page not in misread:
            mended.append(piece)
        elif not mended or mended[-1].page != piece.page:
            mended += _bare_pieces(pages.get(piece.page, ""), piece.page)
    return mended


def _bare_pieces(text: str, page: int) -> Iterator[_Piece]:
    lines = text.replace("\r", "").split("\n")
    full = max(map(len, lines)) * 0.7
    spaced = "\n".join(line if len(line) > full else f"{line}\n" for line in lines)
    for block in plain_blocks(spaced):
        kind = "heading" if block.level else "paragraph"
        yield _Piece(kind, page, block.text.split("\n"), block.level)


def _pieces(nodes: Sequence[Mapping[str, Any]], pages: Mapping[int, str]) -> Iterator[_Piece]:
    bare = {page: {line.strip() for line in text.split("\n")} for page, text in pages.items()}
    page = 1
    for node in nodes:
        content = node["content"]
        kind, text = content["node_type"], content.get("text") or ""
        page = node.get("page") or page
        lines = [line for line in text.replace("\r", "").split("\n") if line.strip()]
        if kind == "page_break":
            page += 1
        elif kind in ("heading", "title"):
            yield _Piece("heading", page, lines, level=content.get("level") or 1)
        elif kind == "table":
            header, rows = _grid(content["grid"])
            if _is_prose(rows):
                yield _Piece("false table", page, [])
            else:
                yield _Piece("table", page, rows_as_prose(header, rows).split("\n"))
        elif kind in ("paragraph", "footnote", "code", "list_item"):
            prose = [line for line in lines if not _LEADERS.search(line)]
            yield from _numbered(prose, page, kind == "list_item", bare.get(page, set()))


def _numbered(lines: Sequence[str], page: int, listed: bool, bare: set[str]) -> Iterator[_Piece]:
    """Yield a paragraph or an item of a list; numbered lines in it are items of their own."""
    # A line that the page holds as it is had no bullet that was taken off.
    bulleted = listed and bool(lines) and lines[0].strip() not in bare
    piece = _Piece("item", page, [], marker="- ") if bulleted else _Piece("paragraph", page, [])
    for line in lines:
        if _NUMBERED.match(line):
            yield piece
            piece = _Piece("item", page, [])
        piece.lines.append(line)
    yield piece


def _grid(grid: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [[""] * grid["cols"] for _ in range(grid["rows"])]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = " ".join(tidy(cell["content"]).split())
    return (rows[0], rows[1:]) if rows else ([], [])


def _is_prose(rows: Sequence[Sequence[str]]) -> bool:
    """Tell a paragraph cut into columns: most of its cells go on with a small letter."""
    cells = [cell for row in rows for cell in row[1:] if cell]
    return sum(cell[0].islower() for cell in cells) > len(cells) / 2


def _drop_furniture(pieces: Iterable[_Piece]) -> None:
    """Take out lines at the edges of pages that repeat, or that count the pages."""
    pages: dict[int, list[tuple[_Piece, int]]] = defaultdict(list)
    for piece in pieces:
        piece.lines = [_TRAILING_LABEL.sub("", line) for line in piece.lines]
        if piece.kind != "table":
            pages[piece.page] += [(piece, i) for i in range(len(piece.lines))]
    seen: Counter[str | int] = Counter()
    for lines in pages.values():
        ends = (*lines[:_EDGE], *lines[-_EDGE:])
        seen.update({key for piece, i in ends for key in _keys(piece.lines[i], piece.page)})
    often = max(2, len(pages) * 0.3)
    counted = max(3, len(pages) * 0.5)

    def is_furniture(line: str, page: int) -> bool:
        return bool(_PAGE_LABEL.fullmatch(line)) or any(
            seen[key] >= (counted if isinstance(key, int) else often) for key in _keys(line, page)
        )

    doomed: dict[int, set[int]] = defaultdict(set)
    for lines in pages.values():
        for edge in (lines[:_EDGE], lines[::-1][:_EDGE]):
            for piece, i in edge:
                line = piece.lines[i].strip()
                if line[:1].islower() or not is_furniture(line, piece.page):
                    break
                doomed[id(piece)].add(i)
    for piece in pieces:
        gone = doomed[id(piece)]
        piece.lines = [line for i, line in enumerate(piece.lines) if i not in gone]


def _demote(pieces: Sequence[_Piece]) -> None:
    """Take a heading that the next paragraph goes on with for what it is: its first lines."""
    for piece, after in pairwise(pieces):
        if piece.kind == "heading" and after.kind == "paragraph":
            goes_on = after.lines[0].strip()[:1].islower()
            if goes_on and not _SENTENCE_END.search(piece.lines[-1].rstrip()):
                piece.kind, piece.level = "paragraph", 0


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


def _blocks(pieces: Sequence[_Piece], words: set[str]) -> Iterator[Block]:
    i = 0
    while i < len(pieces):
        first = pieces[i]
        i += 1
        if first.kind == "heading":
            text = tidy(join_lines(first.lines, words))
            yield Block(text, first.level, ((0, first.page),))
            continue
        text, pages = _text(first, words), [(0, first.page)]
        while i < len(pieces) and (gap := _gap(pieces[i - 1], pieces[i], text)):
            following = pieces[i]
            if following.page != pages[-1][1]:
                pages.append((len(text) + 1, following.page))
            if gap == "\n":
                text = f"{text}\n{_text(following, words)}"
            else:
                text = tidy(join_lines([text, *following.lines], words))
            i += 1
        yield Block(tidy(text), 0, tuple(pages))


def _text(piece: _Piece, words: set[str]) -> str:
    if piece.kind == "table":
        return "\n".join(piece.lines)
    # An unfinished word at the end waits, with its mark, for the next page.
    return piece.marker + join_lines(piece.lines, words)


def _gap(before: _Piece, after: _Piece, text: str) -> str:
    """Return what joins two pieces in one block: a line end, a space, or nothing at all."""
    if before.kind == after.kind == "item":
        return "\n"
    if after.kind == "paragraph" and before.kind in ("paragraph", "item"):
        goes_on = after.lines[0].strip()[:1].islower()
        if goes_on and not _SENTENCE_END.search(text.rstrip()):
            return " "
    return ""
