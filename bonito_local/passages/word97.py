"""Word 97 to 2003 (.doc, MS-DOC): paragraphs, headings and tables by the file's own marks."""

from __future__ import annotations

import io
import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from olefile import OleFileIO

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block, rows_as_prose, tidy
from bonito_local.passages.completeness import Part, check_completeness
from bonito_local.passages.dom import count_words
from bonito_local.passages.notes import READ_HIDDEN, Notes, counted
from bonito_local.passages.outlook import DAMAGED

_MAGIC, _WORD_97 = 0xA5EC, 0xC1
_ENCRYPTED, _TABLE_1 = 0x0100, 0x0200
_LENGTHS = 0x4C  # of the text, footnotes, headers, macros, comments, endnotes, boxes
_CLX, _CHARACTERS, _PARAGRAPHS = 0x1A2, 0xFA, 0x102
_PAGE = 512
_HIDDEN, _DELETED, _ROW_END = 0x083C, 0x0800, 0x2417
_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}  # bytes of an operand, by its kind
_FIELD_BEGIN, _FIELD_RESULT, _FIELD_END = "\x13\x14\x15"
_SHOWN = str.maketrans(
    {"\x0b": "\n", "\x0c": "\n", "\x1e": "-", "\x1f": None, "\xa0": " ", "\x0e": "\n"}
)
_CONTROL = re.compile(r"[\x00-\x08\x0f-\x1f]")


@dataclass(slots=True)
class _Paragraph:
    text: str
    style: int
    ends: str  # a paragraph's mark, or a cell's
    ends_row: bool


@dataclass(slots=True)
class _Runs:
    """Ranges of bytes in the file with what is said of them, in order."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    values: list[tuple[int, set[int]]] = field(default_factory=list)

    def at(self, place: int) -> tuple[int, set[int]]:
        """Return the style and the properties that are set at a place."""
        i = bisect_right(self.starts, place) - 1
        return self.values[i] if i >= 0 and place < self.ends[i] else (0, set())


def word_97_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read a document of Word 97 to 2003, without its headers and footers.

    What is hidden, what is deleted while changes are tracked and comments are left out unless
    `notes` asks for them.

    Raises:
        DocumentError: it is encrypted, damaged, or older.
    """
    try:
        with OleFileIO(io.BytesIO(data)) as file:
            main = file.openstream("WordDocument").read()
            flags = struct.unpack_from("<H", main, 0x0A)[0]
            magic, version = struct.unpack_from("<HH", main, 0)
            if magic != _MAGIC or version < _WORD_97:
                raise DocumentError(
                    "The document is older than Word 97.", "Save it in a current format."
                )
            if flags & _ENCRYPTED:
                raise DocumentError("The document is encrypted.", "Save it without a password.")
            table = file.openstream("1Table" if flags & _TABLE_1 else "0Table").read()
        return _Document(main, table, notes).blocks()
    except DAMAGED as error:
        raise DocumentError(
            f"The document is damaged, or no .doc file ({type(error).__name__}).",
            "Open it in the program that made it and save it again.",
        ) from error


class _Document:
    def __init__(self, main: bytes, table: bytes, notes: Notes) -> None:
        self._main, self._table, self._notes = main, table, notes
        self._characters = self._runs(_CHARACTERS, paragraphs=False)
        self._paragraph_runs = self._runs(_PARAGRAPHS, paragraphs=True)
        self._left_out = {"hidden": [], "deleted": []}  # type: dict[str, list[str]]

    def blocks(self) -> list[Block]:
        """Return the document's text, then its notes and boxes."""
        lengths = struct.unpack_from("<7i", self._main, _LENGTHS)
        text, notes, headers, macros, comments, endnotes, boxes = lengths
        characters = list(self._text())
        starts = [0]
        for length in (text, notes, headers, macros, comments, endnotes, boxes):
            starts.append(starts[-1] + max(0, length))
        stories = [0, 1, 5, 6, *([4] if self._notes.hidden else [])]
        blocks: list[Block] = []
        raw: list[str] = []
        for story in stories:
            part = characters[starts[story] : starts[story + 1]]
            paragraphs = list(self._read(part))
            blocks += _assembled(paragraphs)
            raw += [paragraph.text for paragraph in paragraphs]
        said = "".join(sign for sign, _ in characters[starts[4] : starts[5]])
        if not self._notes.hidden:
            self._notes.left_out(sum(bool(c.strip("\x05 ")) for c in said.split("\r")), "comment")
        self._note_left_out()
        shown = "\n".join(block.text for block in blocks)
        for note in check_completeness([Part("", "\n".join(raw))], shown, added=_names(blocks)):
            self._notes.add(note.title, note.remedy)
        return blocks

    def _note_left_out(self) -> None:
        for what, description in (("hidden", "of hidden text"), ("deleted", "of deleted text")):
            if count := count_words("".join(self._left_out[what])):
                self._notes.add(f"Left out {counted(count, 'word')} {description}.", READ_HIDDEN)

    def _text(self) -> Iterator[tuple[str, int]]:
        """Yield each character with its place in the file."""
        start, size = struct.unpack_from("<Ii", self._main, _CLX)
        pieces = self._table[start : start + size]
        at = 0
        while pieces[at] == 1:  # properties, of pieces
            at += 3 + struct.unpack_from("<H", pieces, at + 1)[0]
        size = struct.unpack_from("<I", pieces, at + 1)[0]
        plc = pieces[at + 5 : at + 5 + size]
        count = (size - 4) // 12
        ends = struct.unpack_from(f"<{count + 1}I", plc, 0)
        for i in range(count):
            place = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * i + 2)[0]
            length = ends[i + 1] - ends[i]
            if place & 0x40000000:
                begin, width, codec = (place & 0x3FFFFFFF) // 2, 1, "cp1252"
            else:
                begin, width, codec = place & 0x3FFFFFFF, 2, "utf-16-le"
            held = self._main[begin : begin + width * length]
            shown = held.decode("latin-1") if width == 1 else held.decode(codec, "surrogatepass")
            for j, sign in enumerate(shown):
                if width == 1 and "\x80" <= sign <= "\x9f":
                    sign = sign.encode("latin-1").decode("cp1252", "replace")
                yield sign, begin + width * j

    def _read(self, characters: list[tuple[str, int]]) -> Iterator[_Paragraph]:
        """Yield the paragraphs of a text, without the instructions of fields."""
        pieces: list[str] = []
        fields: list[bool] = []  # open ones: whether their instruction is still read
        for sign, place in characters:
            if sign == _FIELD_BEGIN:
                fields.append(True)
            elif sign == _FIELD_RESULT and fields:
                fields[-1] = False
            elif sign == _FIELD_END and fields:
                fields.pop()
            elif sign in "\r\x07\x0c":
                style, properties = self._paragraph_runs.at(place)
                text = tidy(_CONTROL.sub("", "".join(pieces).translate(_SHOWN)))
                pieces = []
                yield _Paragraph(text, style, sign, _ROW_END in properties)
            elif not any(fields):
                pieces.append(self._kept(sign, place))
        if pieces:
            yield _Paragraph(tidy(_CONTROL.sub("", "".join(pieces))), 0, "\r", False)

    def _kept(self, sign: str, place: int) -> str:
        _, properties = self._characters.at(place)
        what = "hidden" if _HIDDEN in properties else "deleted" if _DELETED in properties else ""
        if not what or self._notes.hidden:
            return sign
        self._left_out[what].append(sign)
        return ""

    def _runs(self, where: int, paragraphs: bool) -> _Runs:
        """Read the pages that say what is set for ranges of characters or paragraphs."""
        start, size = struct.unpack_from("<Ii", self._main, where)
        count = (size - 4) // 8
        runs: list[tuple[int, int, tuple[int, set[int]]]] = []
        for i in range(max(0, count)):
            number = struct.unpack_from("<I", self._table, start + 4 * (count + 1) + 4 * i)[0]
            at = (number & 0x3FFFFF) * _PAGE
            page = self._main[at : at + _PAGE]
            if len(page) == _PAGE:
                runs += _page_runs(page, paragraphs)
        runs.sort(key=lambda run: run[:2])
        return _Runs(*(list(column) for column in zip(*runs, strict=True))) if runs else _Runs()


def _page_runs(page: bytes, paragraphs: bool) -> Iterator[tuple[int, int, tuple[int, set[int]]]]:
    count = page[-1]
    places = struct.unpack_from(f"<{count + 1}I", page, 0)
    width = 13 if paragraphs else 1
    for i in range(count):
        at = 2 * page[4 * (count + 1) + width * i]
        if not at:
            yield places[i], places[i + 1], (0, set())
            continue
        size, style = page[at], 0
        at += 1
        if paragraphs:
            if size:
                size = 2 * size - 1
            else:
                size, at = 2 * page[at], at + 1
            style = struct.unpack_from("<H", page, at)[0]
            size, at = size - 2, at + 2
        yield places[i], places[i + 1], (style, _set_properties(page[at : at + max(0, size)]))


def _set_properties(changes: bytes) -> set[int]:
    """Return the properties that are switched on by a list of changes."""
    properties: set[int] = set()
    at = 0
    while at + 2 < len(changes):
        name = struct.unpack_from("<H", changes, at)[0]
        kind = name >> 13
        at += 2
        size = changes[at] + 1 if kind == 6 else _SIZES[kind]
        if changes[at] and kind != 6:
            properties.add(name)
        at += size
    return properties


def _assembled(paragraphs: list[_Paragraph]) -> list[Block]:
    """Make blocks of paragraphs; cells are gathered to rows, and rows to tables."""
    blocks: list[Block] = []
    rows: list[list[str]] = []
    cells: list[str] = []
    cell: list[str] = []

    def end_table() -> None:
        if cells:
            rows.append(list(cells))
        if len(rows) == 1:
            blocks.append(Block("; ".join(filter(None, rows[0]))))
        elif rows:
            blocks.append(Block(rows_as_prose(rows[0], rows[1:])))
        rows.clear()
        cells.clear()

    pending: list[_Paragraph] = []  # that may be the first lines of a cell
    for paragraph in paragraphs:
        if paragraph.ends == "\x07" and paragraph.ends_row:
            rows.append([*cells])
            cells.clear()
        elif paragraph.ends == "\x07":
            cell = [held.text for held in pending] if cells or rows else []
            if not (cells or rows):
                blocks += filter(lambda block: block.text, map(_block, pending))
            pending = []
            cells.append(" ".join(filter(None, [*cell, *paragraph.text.split("\n")])))
        elif cells:
            pending.append(paragraph)
        else:
            end_table()
            blocks += filter(lambda block: block.text, [_block(paragraph)])
    end_table()
    blocks += filter(lambda block: block.text, map(_block, pending))
    return [block for block in blocks if block.text]


def _block(paragraph: _Paragraph) -> Block:
    level = paragraph.style if 1 <= paragraph.style <= 9 else 0
    text = " ".join(paragraph.text.split()) if level else paragraph.text
    return Block(text, level)


def _names(blocks: list[Block]) -> list[str]:
    """Return the names of columns that rows repeat."""
    names: list[str] = []
    for block in blocks:
        lines = block.text.split("\n")
        for line in lines[1:]:
            names += [pair.partition(": ")[0] for pair in line.split("; ") if ": " in pair]
    return names
