"""PDF: layout nodes to blocks, without what repeats on every page."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bonito_local.passages.blocks import Block, join_lines, rows_as_prose, tidy, words_of

_PAGE_LABEL = re.compile(
    r"\W*(?:page|p\.)?\s*(?:\d{1,4}|[ivx]{1,5})(?:\s*(?:of|/)\s*\d{1,4})?\W*", re.IGNORECASE
)
_TRAILING_LABEL = re.compile(r"(?<=\x02)Page \d+(?: of \d+)?$")  # glued to a word cut in two
_LEADERS = re.compile(r"(?:\.\s?){5,}\s*\w*$")  # a line of a table of contents
_EDGE = 2  # lines at the top and at the bottom of a page that may be its furniture
_SENTENCE_END = re.compile(r"[.!?:;][\"'”’)\]]*$")


@dataclass(slots=True)
class _Piece:
    kind: str  # "heading", "paragraph", "item" or "table"
    page: int
    lines: list[str]
    level: int = 0
    marker: str = ""


def pdf_blocks(nodes: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Turn kreuzberg's document nodes into blocks with their pages.

    Running headers, footers and page numbers are dropped, hyphenated words healed, and
    paragraphs that go on over the page joined.
    """
    pieces = list(_pieces(nodes))
    _drop_furniture(pieces)
    pieces = [piece for piece in pieces if piece.lines]
    words = words_of("\n".join(line for piece in pieces for line in piece.lines))
    return list(_blocks(pieces, words))


def _pieces(nodes: Sequence[Mapping[str, Any]]) -> Iterator[_Piece]:
    page = 1
    counters: dict[int | None, int] = defaultdict(int)
    for node in nodes:
        content = node["content"]
        kind, text = content["node_type"], content.get("text") or ""
        page = node.get("page") or page
        if node.get("content_layer", "body") in ("header", "footer"):
            continue
        lines = [line for line in text.replace("\r", "").split("\n") if line.strip()]
        if kind == "page_break":
            page += 1
        elif kind in ("heading", "title"):
            yield _Piece("heading", page, lines, level=content.get("level") or 1)
        elif kind == "list_item":
            parent = node.get("parent")
            counters[parent] += 1
            ordered = parent is not None and nodes[parent]["content"].get("ordered")
            yield _Piece("item", page, lines, marker=f"{counters[parent]}. " if ordered else "- ")
        elif kind == "table":
            yield _Piece("table", page, rows_as_prose(*_grid(content["grid"])).split("\n"))
        elif kind in ("paragraph", "footnote", "code"):
            lines = [line for line in lines if not _LEADERS.search(line)]
            yield _Piece("paragraph", page, lines)


def _grid(grid: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = [[""] * grid["cols"] for _ in range(grid["rows"])]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = " ".join(tidy(cell["content"]).split())
    return (rows[0], rows[1:]) if rows else ([], [])


def _drop_furniture(pieces: Iterable[_Piece]) -> None:
    pages: dict[int, list[tuple[_Piece, int]]] = defaultdict(list)
    for piece in pieces:
        piece.lines = [_TRAILING_LABEL.sub("", line) for line in piece.lines]
        if piece.kind != "table":
            pages[piece.page] += [(piece, i) for i in range(len(piece.lines))]
    edges = [edge for lines in pages.values() for edge in (lines[:_EDGE], lines[::-1][:_EDGE])]
    repeats = Counter(
        key
        for lines in pages.values()
        for key in {_key(piece.lines[i]) for piece, i in (*lines[:_EDGE], *lines[-_EDGE:])}
    )
    often = max(2, len(pages) * 0.3)
    doomed: dict[int, set[int]] = defaultdict(set)
    for edge in edges:
        for piece, i in edge:
            line = piece.lines[i].strip()
            if line[:1].islower() or (
                repeats[_key(line)] < often and not _PAGE_LABEL.fullmatch(line)
            ):
                break
            doomed[id(piece)].add(i)
    for piece in pieces:
        gone = doomed[id(piece)]
        piece.lines = [line for i, line in enumerate(piece.lines) if i not in gone]


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip().lower())


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
