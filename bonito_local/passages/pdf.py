"""PDF: pages to blocks, without what repeats on every page, and what is to be said of them."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, join_lines, rows_as_prose, tidy, words_of
from bonito_local.passages.completeness import (
    Part,
    check_completeness,
    difference,
    order_difference,
)
from bonito_local.passages.notes import Notes
from bonito_local.passages.ocr import Recognizer
from bonito_local.passages.pdf_contents import contents_lines, has_leaders, without_leaders
from bonito_local.passages.pdf_layout import (
    SENTENCE_END,
    Piece,
    Table,
    level_headings,
    measure,
    pieces_of,
)
from bonito_local.passages.pdf_lines import Line, page_lines
from bonito_local.passages.pdf_notes import Findings
from bonito_local.passages.pdf_pages import Page, Word, open_pdf
from bonito_local.passages.pdf_running import drop_running
from bonito_local.passages.pdf_tables import (
    Grid,
    find_grids,
    names_columns,
    ruled_rows,
    spaced_rows,
    turn,
)
from bonito_local.passages.plain import plain_blocks
from bonito_local.passages.types import Note

_CROSSED = 0.2  # lines that run on over a side of a grid, to each of its rows
_MOST_REORDERED = 0.1  # of a page's runs of words; where more differ, it is said
_PROSE_WORDS = 3  # of a line, in every column of text
_MOST_DIFFERENCE = 0.02  # of a page's words; where more differ, its plain text is taken


@dataclass(slots=True)
class _Read:
    """What is kept of a page: its raw text, its lines and tables in order."""

    number: int
    raw: str
    held: list[Line | Table] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)  # of form fields
    pieces: list[Piece] | None = None  # where layout analysis is passed over

    def lines(self) -> list[Line]:
        return [held for held in self.held if isinstance(held, Line)]


def pdf_blocks(data: bytes, eyes: Recognizer | None, notes: Notes) -> list[Block]:
    """Read the bytes of a PDF into blocks with their pages.

    Running headers, footers, page numbers, watermarks and line numbers are dropped, hyphenated
    words healed, and paragraphs that go on over the page joined. Blocks without text stand for
    pages without. `eyes` read those that are pictures. What is left out is recorded in `notes`.

    Raises:
        DocumentError: it is encrypted or damaged, or its text cannot be read.
    """
    kind, pages = open_pdf(data, hidden=notes.hidden)
    findings = Findings(kind)
    read: list[_Read] = []
    scans: list[int] = []
    for opened in pages:
        findings.add(opened)
        if opened.garbled >= len(opened.words) and not opened.fields:
            scans.append(opened.number)
        read.append(_page(opened, findings))
    if findings.is_placeholder([page.raw for page in read]):
        raise DocumentError(
            "The document is a form (XFA) whose content is in a part that is not read.",
            "Open it in Adobe Reader and print it to a new PDF.",
        )
    seen = eyes.read(data, scans) if eyes and scans else {}
    unread = [page for page in read if not seen.get(page.number, "").strip()]
    if findings.garbled and not any(page.held for page in unread) and len(unread) == len(read):
        raise DocumentError(
            "The document's text cannot be read: its fonts have no Unicode map.",
            "Read it by text recognition (OCR): print it to pictures, then --ocr eng.",
        )
    for page in read:
        if seen.get(page.number, "").strip():
            page.raw = seen[page.number]
            page.pieces = list(_bare_pieces(page.raw, page.number))
    findings.contents = _drop_contents(read)
    blocks = _blocks_of(read, findings)
    textless = [page.number for page in read if not page.raw.strip()]
    findings.report(notes, seen)
    for note in _completeness(read, blocks):
        notes.add(note.title, note.remedy)
    return [*blocks, *(Block("", pages=((0, number),)) for number in textless)]


def _drop_contents(read: Sequence[_Read]) -> dict[int, int]:
    """Take the lines of tables of contents out. Return their number by page."""
    laid_out = [page for page in read if page.pieces is None]
    entries = contents_lines([page.lines() for page in laid_out])
    dropped: dict[int, int] = {}
    for page in laid_out:
        for line in page.lines():
            if id(line) in entries:
                page.left_out.append(line.text)
                dropped[page.number] = dropped.get(page.number, 0) + 1
            else:
                line.text = without_leaders(line.text) if has_leaders(line.text) else line.text
        page.held = [held for held in page.held if id(held) not in entries]
    return dropped


def _page(page: Page, findings: Findings) -> _Read:
    """Read one page's words into lines and tables."""
    values = "\n".join([*(filled.value for filled in page.fields), *page.comments])
    read = _Read(page.number, f"{page.text}\n{values}" if values else page.text)
    read.values = [filled.value for filled in page.fields]
    angles = Counter(word.angle for word in page.words if word.angle % 90 == 0)
    angle = angles.most_common(1)[0][0] if angles else 0
    words, fields = page.words, page.fields
    for grid in find_grids(page.drawings.rules, angle):
        inside = [word for word in words if _inside(grid, word, angle)]
        if _is_crossed(words, inside, len(grid.ys) - 1):
            continue
        filled = [held for held in fields if _centre_inside(grid, held.box, angle)]
        values_inside = [_value_word(held.value, held.box, angle) for held in filled]
        rows = ruled_rows(grid, _with_values(inside, values_inside), page.number)
        if rows is None:
            continue
        gone = {id(word) for word in inside}
        order = next(at for at, word in enumerate(page.words) if not gone or id(word) in gone)
        words = [word for word in words if id(word) not in gone]
        fields = [held for held in fields if held not in filled]
        read.held.append(_table(rows, order - 0.5, read, ruled=True))
    places = {id(word): at for at, word in enumerate(page.words)}
    found = page_lines(words, fields, page.number, places)
    _set_depth(found.lines, page.box)
    findings.left_out(page.number, found)
    read.left_out += [*found.watermarks, *found.numbers]
    read.added += found.labels
    for word in found.capitals:
        read.left_out.append(f"{word[0]} {word[1:]}")
        read.added.append(word)
    lines = list(_comments(page))
    for line in found.lines:
        line.cells = () if has_leaders(line.text) else line.cells
        lines.append(line)
    read.held = sorted([*read.held, *_with_tables(lines, read)], key=lambda held: held.order)
    return read


def _comments(page: Page) -> Iterator[Line]:
    """Yield the comments that are to be read, a line each, after the page's own lines."""
    for at, text in enumerate(page.comments):
        order = len(page.words) + 1 + at
        yield Line(text, 0, 0, -2000.0 * (1 + at), 10, False, 0, page.number, 0, order, (), 0.5)


def _inside(grid: Grid, word: Word, angle: int) -> bool:
    return word.angle == angle and grid.holds((word.x0 + word.x1) / 2, word.y + 0.3 * word.size)


def _is_crossed(words: Sequence[Word], inside: Sequence[Word], rows: int) -> bool:
    """Whether lines run on over the sides of a grid: it marks words, and is no table."""
    held = {id(word) for word in inside}
    crossings = 0
    for one, other in pairwise(words):
        if (id(one) in held) != (id(other) in held) and one.angle == other.angle:
            level = abs(one.y - other.y) < 0.2 * one.size
            crossings += level and 0 <= other.x0 - one.x1 < one.size
    return crossings > _CROSSED * rows


def _centre_inside(grid: Grid, box: tuple[float, float, float, float], angle: int) -> bool:
    return grid.holds(*turn((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, angle))


def _with_values(words: Sequence[Word], values: Sequence[Word]) -> list[Word]:
    """Put the values of form fields after the words on their left, else after all words."""
    placed = list(words)
    for value in values:
        left = [word for word in words if abs(word.y - value.y) < value.size and word.x0 < value.x0]
        before = max(left, key=lambda word: word.x0, default=None)
        at = next((i for i, word in enumerate(placed) if word is before), len(placed) - 1)
        placed.insert(at + 1, value)
    return placed


def _value_word(value: str, box: tuple[float, float, float, float], angle: int) -> Word:
    x, y = turn((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, angle)
    return Word(value, x, x, y - 3, 10.0, bold=False, angle=angle, space=" ")


def _set_depth(lines: Iterable[Line], box: tuple[float, float, float, float]) -> None:
    for line in lines:
        ends = [
            turn(x, y, line.angle if line.angle % 90 == 0 else 0)[1]
            for x, y in ((box[0], box[1]), (box[2], box[3]))
        ]
        line.depth = (max(ends) - line.y) / max(1.0, max(ends) - min(ends))


def _table(rows: list[list[str]], order: float, read: _Read, *, ruled: bool) -> Table:
    """Write the rows of a table, and note the words that this adds and leaves out."""
    rows = [[" ".join(tidy(cell).split()) for cell in row] for row in rows]
    named = ruled and names_columns(rows[0])
    lines = rows_as_prose(rows[0] if named else [], rows[named:]).split("\n")
    before = Counter(" ".join(cell for row in rows for cell in row).split())
    after = Counter(re.sub(r"[:;](?=\s|$)", "", "\n".join(lines)).split())
    before = Counter(re.sub(r"[:;](?=\s|$)", "", " ".join(before.elements())).split())
    read.added += [" ".join((after - before).elements())]
    read.left_out += [" ".join((before - after).elements())]
    plain = [" ".join(filter(None, row)) for row in rows]
    return Table(read.number, lines, order, plain)


def _with_tables(lines: Sequence[Line], read: _Read) -> Iterator[Line | Table]:
    """Replace lines whose words stand in columns by a table, or by one column after the other."""
    at = 0
    while at < len(lines):
        count = len(lines[at].cells)
        end = at + 1
        while count and end < len(lines) and len(lines[end].cells) == count:
            end += 1
        rows = spaced_rows(lines[at:end])
        if rows is None:
            yield from lines[at:end]
        elif _is_prose(rows):
            yield from _columns(lines[at:end])
        else:
            yield _table(rows, lines[at].order, read, ruled=False)
        at = end


def _is_prose(rows: Sequence[Sequence[str]]) -> bool:
    """Tell text in columns: most of its cells go on with a small letter, and hold a few words."""
    cells = [cell for row in rows for cell in row if cell]
    goes_on = sum(cell[0].islower() for cell in cells) > len(cells) / 2
    return goes_on and all(
        statistics.median(len(row[at].split()) for row in rows) >= _PROSE_WORDS
        for at in range(len(rows[0]))
    )


def _columns(lines: Sequence[Line]) -> Iterator[Line]:
    for column in range(len(lines[0].cells)):
        for line in lines:
            text, x0, x1 = line.cells[column]
            first = (x1 - x0) * len(text.split()[0]) / len(text)
            order = lines[0].order + column / 100 + 1e-6 * (line.order - lines[0].order)
            yield Line(
                text, x0, x1, line.y, line.size, line.bold, line.angle, line.page, first,
                order, (), line.depth,
            )  # fmt: skip


def _blocks_of(read: Sequence[_Read], findings: Findings) -> list[Block]:
    """Return the blocks of all pages: running lines dropped, headings levelled."""
    laid_out = [page for page in read if page.pieces is None]
    lines = [page.lines() for page in laid_out]
    kept = [list(page) for page in lines]
    dropped = drop_running(kept)
    measures = measure(kept)
    gone: set[int] = set()
    for all_lines, kept_lines in zip(lines, kept, strict=True):
        gone |= {id(line) for line in all_lines} - {id(line) for line in kept_lines}
    pieces: list[Piece] = []
    for page in read:
        if page.pieces is not None:
            pieces += page.pieces
            continue
        shown = "\n".join(
            "\n".join(held.rows) if isinstance(held, Table) else held.text for held in page.held
        )
        shown = "\n".join([shown, *page.left_out])
        if difference(page.raw, shown, page.added) > _MOST_DIFFERENCE:
            page.added.clear()
            page.left_out.clear()
            pieces += _bare_pieces(page.raw, page.number)
            continue
        if _order_differs(page):
            findings.reordered.append(page.number)
        held = [item for item in page.held if id(item) not in gone]
        pieces += pieces_of(held, measures)
    if laid_out:
        laid_out[0].left_out += dropped
    findings.running = (_count(dropped), _count(page.raw for page in read))
    level_headings(pieces, measures)
    pieces = [piece for piece in pieces if any(map(str.strip, piece.lines))]
    _demote(pieces)
    words = words_of("\n".join(line for piece in pieces for line in piece.lines))
    return [block for block in _joined(pieces, words) if block.text]


def _order_differs(page: _Read) -> bool:
    """Whether a page's lines and rows go another way than the words of its plain text."""
    plain = "\n".join(
        "\n".join(held.plain) if isinstance(held, Table) else held.text for held in page.held
    )
    moved = [*page.left_out, *page.values, *page.values]  # from the raw text's end to their place
    return order_difference(page.raw, plain, moved) > _MOST_REORDERED


def _count(texts: Iterable[str]) -> int:
    return sum(len(text.split()) for text in texts)


def _completeness(read: Sequence[_Read], blocks: Sequence[Block]) -> Iterator[Note]:
    parts = [Part(str(page.number), page.raw) for page in read]
    text = "\n\n".join(block.text for block in blocks)
    left_out = [text for page in read for text in page.left_out]
    added = [text for page in read for text in page.added]
    yield from check_completeness(parts, text, left_out=left_out, added=added)


def _bare_pieces(text: str, page: int) -> Iterator[Piece]:
    """Read plain page text into pieces."""
    lines = text.replace("\r", "").split("\n")
    full = max(map(len, lines)) * 0.7
    spaced = "\n".join(line if len(line) > full else f"{line}\n" for line in lines)
    for block in plain_blocks(spaced):
        kind = "heading" if block.level else "paragraph"
        yield Piece(kind, page, block.text.split("\n"), block.level)


def _demote(pieces: Sequence[Piece]) -> None:
    """Take a heading that the next paragraph goes on with for what it is: its first lines."""
    for piece, after in pairwise(pieces):
        if piece.kind == "heading" and after.kind == "paragraph":
            goes_on = after.lines[0].strip()[:1].islower()
            if goes_on and not SENTENCE_END.search(piece.lines[-1].rstrip()):
                piece.kind, piece.level = "paragraph", 0


def _joined(pieces: Sequence[Piece], words: set[str]) -> Iterator[Block]:
    i = 0
    while i < len(pieces):
        first = pieces[i]
        i += 1
        if first.kind == "heading":
            yield Block(tidy(join_lines(first.lines, words)), first.level, ((0, first.page),))
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


def _text(piece: Piece, words: set[str]) -> str:
    if piece.kind == "table":
        return "\n".join(piece.lines)
    # An unfinished word at the end waits, with its mark, for the next page.
    return piece.marker + join_lines(piece.lines, words)


def _gap(before: Piece, after: Piece, text: str) -> str:
    """Return what joins two pieces in one block: a line end, a space, or nothing at all."""
    if before.kind == after.kind == "item":
        return "\n"
    if after.kind == "paragraph" and before.kind in ("paragraph", "item"):
        goes_on = after.lines[0].strip()[:1].islower()
        if goes_on and not SENTENCE_END.search(text.rstrip()):
            return " "
        if after.soft and after.page == before.page:
            return "\n"
    return ""
