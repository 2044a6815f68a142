"""Blocks: what every format is read into, and how blocks become a document's text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bonito_local.errors import DocumentError
from bonito_local.passages.types import Section, Text


@dataclass(frozen=True, slots=True)
class Block:
    """A heading (`level` 1 is the top) or a paragraph, list or table (`level` 0).

    `pages` holds (offset in `text`, 1-based page) where pages begin; a block without
    text stands for a page without.
    """

    text: str
    level: int = 0
    pages: tuple[tuple[int, int], ...] = ()


def assemble(blocks: Iterable[Block], row: int | None = None) -> Text:
    """Join blocks by blank lines into one text with its sections and pages."""
    parts: list[str] = []
    sections: list[Section] = []
    pages: list[tuple[int, int]] = []
    textless: list[int] = []
    path: list[tuple[int, str]] = []
    end = 0
    start: int | None = None  # of the heading line that the next section hangs on
    opened: tuple[int, int] | None = None  # start and body of the section that goes on

    def close(opened: tuple[int, int]) -> None:
        sections.append(Section(*opened, end, tuple(title for _, title in path)))

    for block in blocks:
        if not block.text:
            textless += [page for _, page in block.pages]
            continue
        offset = end
        if parts:
            # An introduction stays with the list that it introduces.
            gap = "\n" if opened and not block.level and parts[-1].endswith(":") else "\n\n"
            parts.append(gap)
            offset += len(gap)
        parts.append(block.text)
        if block.pages:
            pages += [(offset + at, page) for at, page in block.pages]
        if block.level:
            if opened:
                close(opened)
            path = [held for held in path if held[0] < block.level]
            path.append((block.level, " ".join(block.text.split())))
            start, opened = offset, None
        elif not opened:
            start, opened = None, (offset if start is None else start, offset)
        end = offset + len(block.text)
    if opened:
        close(opened)
    return Text("".join(parts), tuple(sections), tuple(pages), row, tuple(textless))


_DROPPED = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff\ue000-\uf8ff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LIGATURES = dict(
    zip("\ufb00\ufb01\ufb02\ufb03\ufb04", ("ff", "fi", "fl", "ffi", "ffl"), strict=True)
)


def tidy(text: str) -> str:
    """Normalize white space, ligatures and invisible characters; end lines with a line feed."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # What prints holds no control, no invisible character and no white space but the space.
    prints = text.replace("\n", "").isprintable()
    if not prints:
        text = text.replace("\u2028", "\n").replace("\u2029", "\n")
        text = _CONTROLS.sub("", _DROPPED.sub("", text))
    if not text.isascii():
        for ligature, letters in _LIGATURES.items():
            text = text.replace(ligature, letters)
        text = unicodedata.normalize("NFC", text)
    if prints and "  " not in text and " \n" not in text and "\n " not in text:
        return text.strip()
    return "\n".join([" ".join(line.split()) for line in text.split("\n")]).strip()


def check_readable(text: str) -> None:
    """See that a text is one: letters, not the bytes of something else.

    Raises:
        DocumentError: it is empty, or more than a tenth of it are no characters.
    """
    if not text or text.isspace():
        raise DocumentError("The document is empty.", "Leave it out, or check that it was saved.")
    # What is left without the usual characters of ASCII is little, or the text is of other ones.
    rest = text.encode("utf-8", "surrogatepass").translate(None, _USUAL)
    others = Counter(rest.decode("utf-8", "surrogatepass"))
    strange = sum(count for held, count in others.items() if _is_strange(held))
    if strange and strange > len("".join(text.split())) / 10:
        raise DocumentError(
            "The document's text cannot be decoded: most of it is no text.",
            "Check that the file is what its suffix says, or save it as UTF-8 text.",
        )


def _is_strange(character: str) -> bool:
    if character.isspace():
        return False
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cn", "Co", "Cs")


_USUAL = bytes(code for code in range(128) if chr(code).isspace() or chr(code).isprintable())


def join_lines(lines: Sequence[str], words: set[str]) -> str:
    """Join the lines of one paragraph; words split by a hyphen at a line's end are healed.

    `words` are the document's words. A "-" is taken out where the whole word occurs in
    them; U+0002 (a hyphen that the layout of a PDF put in) unless the hyphenated word
    does.
    """
    text = ""
    for line in lines:
        line = line.strip(" \t")
        if not text:
            text = line
            continue
        left = _TAIL.search(text, text.rfind(" ") + 1) if text[-1] in "-\x02" else None
        right = _HEAD.match(line)
        if left and right:
            whole, dashed = left[1] + right[0], f"{left[1]}-{right[0]}"
            heal = whole.lower() in words
            if left[2] == "\x02":
                heal = dashed.lower() not in words
            text = text[: left.start()] + (whole if heal else dashed) + line[right.end() :]
        else:
            text = f"{text.rstrip(chr(2))} {line}"
    return text


_TAIL = re.compile(r"([^\W\d_]+)([-\x02])$")
_HEAD = re.compile(r"[^\W\d_A-Z]+")
_NAME = 60  # characters: what is longer names no column
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def words_of(text: str) -> set[str]:
    """Return the lower-case words of a text, hyphenated ones as they are."""
    return {word.lower() for word in _WORD.findall(text)}


_MIDNIGHT = re.compile(r"(?<=\d{4}-\d\d-\d\d) 00:00:00$")  # how a date in a sheet comes out


def _names_columns(row: Sequence[str]) -> bool:
    named = [cell for cell in row if cell]
    return (
        len(named) * 2 > len(row)
        and (len(row) == 1 or len(named) > 1)
        and all(len(cell) <= _NAME and cell[-1] not in ".!?" for cell in named)
    )


def _are_sentences(cells: Sequence[str]) -> bool:
    """Whether most of a column is too long to be a name and ends as a sentence does."""
    told = sum(len(cell) > _NAME and cell[-1] in ".!?" for cell in cells)
    return told > len([cell for cell in cells if cell]) / 2


def rows_as_prose(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table a line per row, as "Name: Alpha; Fee: $20".

    A first row that names no columns is a row like the others. Of two columns, names and what
    is said of each in sentences, the columns' own names are left out: "Alpha: It is new."
    """
    header, *rows = [[_MIDNIGHT.sub("", cell) for cell in row] for row in (header, *rows)]
    if not _names_columns(header):
        header, rows = (), [header, *rows]
    elif len(header) == 2 and _are_sentences([row[1] for row in rows if len(row) == 2]):
        header, rows = (), [[_titled(*row)] if all(row) and len(row) == 2 else row for row in rows]
    lines = []
    for row in rows:
        named = [
            f"{header[i]}: {cell}" if i < len(header) and header[i] else cell
            for i, cell in enumerate(row)
            if cell
        ]
        lines.append("; ".join(named))
    return "\n".join(line for line in lines if line)


def _titled(name: str, told: str) -> str:
    return f"{name}{'' if name[-1] in '.!?:' else ':'} {told}"
