"""OpenDocument texts (ODT), read from their XML: headings, paragraphs, lists, tables, notes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.completeness import Part
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.grid import LABEL, Cell, Row, table_lines
from bonito_local.passages.office.omitted import Omitted
from bonito_local.passages.office.outline import BOLD_LEVEL, Lines, in_one_line, settle_headings
from bonito_local.passages.office.package import Package, damaged, encrypted
from bonito_local.passages.office.symbols import raised
from bonito_local.passages.office.wordstyles import format_number

_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
OFFICE, TEXT, TABLE = f"{{{_ODF}office:1.0}}", f"{{{_ODF}text:1.0}}", f"{{{_ODF}table:1.0}}"
STYLE, DRAW = f"{{{_ODF}style:1.0}}", f"{{{_ODF}drawing:1.0}}"
FORMAT = f"{{{_ODF}xsl-fo-compatible:1.0}}"
_INDEXES = {
    "table-of-content": "table of contents", "illustration-index": "table of contents",
    "table-index": "table of contents", "object-index": "table of contents",
    "user-index": "table of contents", "alphabetical-index": "index",
}  # fmt: skip
_ENCRYPTED = re.compile(rb"<(?:\w+:)?(?:encryption-data|encrypted-key)\b")
_FORMS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman"}
_FORMS |= {"I": "upperRoman", "": "none"}
_MOST_REPEATED = 100
_SIGNS = {"s": " ", "tab": "\t", "line-break": "\n"}
_TAG = re.compile(rb"<[^>]*>")
# Elements whose text is none of the document's: who changed it, what a shape is called.
_ASIDE = re.compile(
    rb"<(office:change-info|svg:title|svg:desc|dc:creator|dc:date|text:[\w-]+-source)\b"
    rb"[^>]*(?<!/)>.*?</\1>",
    re.DOTALL,
)
_BREAKS = re.compile(rb"</text:(?:p|h)>|<text:(?:s|tab|line-break)\b[^>]*>|</?text:note-citation")


def odt_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read an OpenDocument text into blocks.

    Raises:
        DocumentError: the document is damaged, encrypted, or no text document.
    """
    package = Package(data, ".odt")
    if _ENCRYPTED.search(package.read("META-INF/manifest.xml") or b""):
        raise encrypted()
    root = package.xml("content.xml")
    body = None if root is None else root.find(f"{OFFICE}body/{OFFICE}text")
    if root is None or body is None:
        raise damaged(".odt", "it holds no text document")
    omitted = Omitted(notes)
    reader = _Reader(_Styles([root, package.xml("styles.xml")]), omitted)
    reader.read(body)
    blocks = settle_headings(reader.end())
    omitted.report()
    part = Part("content.xml", _raw_words(package.read("content.xml") or b""))
    omitted.check([part], "\n".join(block.text for block in blocks), "part")
    return blocks


@dataclass(frozen=True, slots=True)
class _Style:
    bold: bool = False
    hidden: bool = False
    raised: bool = False
    parent: str = ""
    list_style: str = ""


class _Styles:
    """Styles of text and of lists, by name."""

    def __init__(self, roots: list[Element | None]) -> None:
        self._styles: dict[str, _Style] = {}
        self.lists: dict[str, dict[int, Element]] = {}
        self.outline: dict[int, Element] = {}
        for root in roots:
            for element in root.iter() if root is not None else ():
                if element.tag == f"{STYLE}style":
                    self._styles.setdefault(element.get(f"{STYLE}name", ""), _style(element))
                elif element.tag == f"{TEXT}list-style":
                    self.lists.setdefault(element.get(f"{STYLE}name", ""), _levels(element))
                elif element.tag == f"{TEXT}outline-style":
                    self.outline = _levels(element)

    def get(self, name: str) -> _Style:
        """Return a style with what it has from its parents."""
        own = self._styles.get(name, _Style())
        chain = [own]
        while own.parent in self._styles and len(chain) < 30:
            own = self._styles[own.parent]
            chain.append(own)
        return replace(
            chain[0],
            bold=any(held.bold for held in chain),
            hidden=any(held.hidden for held in chain),
            raised=any(held.raised for held in chain),
            list_style=next((held.list_style for held in chain if held.list_style), ""),
        )

    def is_titled(self, name: str) -> bool:
        """Whether a style is that of the document's title."""
        return name == "Title" or self._styles.get(name, _Style()).parent == "Title"


def _style(element: Element) -> _Style:
    text = element.find(f"{STYLE}text-properties")
    position = "" if text is None else text.get(f"{TEXT}text-position", "")
    position = position or ("" if text is None else text.get(f"{STYLE}text-position", ""))
    up = position.split()[0] if position.split() else ""
    return _Style(
        bold=text is not None and text.get(f"{FORMAT}font-weight") in ("bold", "700", "800", "900"),
        hidden=text is not None and text.get(f"{TEXT}display") == "none",
        raised=up == "super" or (up.rstrip("%").isdecimal() and up.rstrip("%") != "0"),
        parent=element.get(f"{STYLE}parent-style-name", ""),
        list_style=element.get(f"{STYLE}list-style-name", ""),
    )


def _levels(element: Element) -> dict[int, Element]:
    return {_whole(level.get(f"{TEXT}level"), 1): level for level in element}


class _Reader:
    """Reads one story: the body, a cell, a box, a note."""

    def __init__(self, styles: _Styles, omitted: Omitted, in_cell: bool = False) -> None:
        self._styles = styles
        self._omitted = omitted
        self._in_cell = in_cell
        self._lines = Lines()
        self._counts: dict[str, dict[int, int]] = {}
        self._headings: dict[int, int] = {}
        self._after: list[Block] = []  # notes and boxes of the paragraph that is read
        self._bold_line: bool | None = None
        self.bold: bool | None = None

    def end(self) -> list[Block]:
        """Return what was read."""
        return self._lines.end()

    def read(self, container: Element, level: int = 0) -> None:
        """Read the paragraphs, lists and tables in an element."""
        for child in container:
            name = child.tag.removeprefix(TEXT)
            if name in ("p", "h"):
                self._paragraph(child)
            elif name == "list":
                self._list(child, level + 1, child.get(f"{TEXT}style-name", ""))
            elif name in _INDEXES:
                self._omitted.leave_out(_INDEXES[name], _all_text(child))
            elif name == "tracked-changes":
                self._deletions(child)
            elif name == "section":
                self._section(child, level)
            elif child.tag == f"{TABLE}table":
                self._table(child)
            elif child.tag.startswith(DRAW):
                self._lines.later += self._boxes(child)
            elif name in ("numbered-paragraph", "bibliography", "index-body", "index-title"):
                self.read(child, level)

    def _section(self, element: Element, level: int) -> None:
        hides = element.get(f"{TEXT}display") in ("none", "condition")
        if hides and not self._omitted.hidden:
            self._omitted.leave_out("hidden text", _all_text(element))
        else:
            self.read(element, level)

    def _deletions(self, element: Element) -> None:
        for deletion in element.iter(f"{TEXT}deletion"):
            paragraphs = [held for held in deletion if held.tag in (f"{TEXT}p", f"{TEXT}h")]
            text = "\n".join(map(_all_text, paragraphs))
            if self._omitted.hidden:
                self._lines.add(tidy(text))
            else:
                self._omitted.leave_out("tracked deletions", text)

    def _list(self, element: Element, level: int, style: str) -> None:
        kind = self._styles.lists.get(style, {}).get(level)
        counts = self._counts.setdefault(style, {})
        goes_on = element.get(f"{TEXT}continue-numbering") == "true"
        if level > 1:
            counts.pop(level, None)
        elif not goes_on and not element.get(f"{TEXT}continue-list"):
            counts.clear()
        for item in element:
            if item.tag not in (f"{TEXT}list-item", f"{TEXT}list-header"):
                continue
            label = ""
            is_bare = item.find(f"{TEXT}p") is None and item.find(f"{TEXT}h") is None
            if item.tag == f"{TEXT}list-item" and not is_bare:
                if start := _whole(item.get(f"{TEXT}start-value"), 0):
                    counts[level] = start - 1
                label = _label(kind, counts, level, self._styles.lists.get(style, {}))
            self._item(item, level, style, label)

    def _item(self, item: Element, level: int, style: str, label: str) -> None:
        """Read an item of a list; its label stands before its first paragraph."""
        for child in item:
            if child.tag == f"{TEXT}list":
                self._list(child, level + 1, child.get(f"{TEXT}style-name", style))
            elif child.tag == f"{TEXT}p" and label:
                if text := self._inline(child):
                    if label != "-":
                        self._omitted.added.append(label)
                    self._lines.add_item(label, text)
                    label = ""
                self._anchor()
            elif child.tag in (f"{TEXT}p", f"{TEXT}h"):
                self._paragraph(child)

    def _paragraph(self, paragraph: Element) -> None:
        name = paragraph.get(f"{TEXT}style-name", "")
        text = self._inline(paragraph)
        level = 0
        if paragraph.tag == f"{TEXT}h":
            level = max(1, _whole(paragraph.get(f"{TEXT}outline-level"), 1))
            kind = self._styles.outline.get(level)
            label = _label(kind, self._headings, level, self._styles.outline) if text else ""
            if label not in ("", "-"):
                self._omitted.added.append(label)
                text = f"{label} {text}"
        if not text:
            self._anchor()
            return
        if self._styles.is_titled(name) and not self._in_cell:
            self._lines.add(in_one_line(text), title=True)
        elif level:
            self._lines.add(in_one_line(text), level)
        else:
            is_heading = bool(self._bold_line) and not self._in_cell
            self._lines.add(text, BOLD_LEVEL if is_heading else 0)
        self._anchor()

    def _anchor(self) -> None:
        """Have the notes and boxes of a paragraph follow it."""
        self._lines.later += self._after
        self._after = []

    def _inline(self, paragraph: Element) -> str:
        """Return a paragraph's text; notes and boxes in it follow it."""
        self._bold_line = None
        pieces: list[str] = []
        style = self._styles.get(paragraph.get(f"{TEXT}style-name", ""))
        self._walk(paragraph, style, pieces)
        text = tidy("".join(pieces))
        if text:
            bold = bool(self._bold_line)
            self.bold = bold if self.bold is None else self.bold and bold
        return text

    def _walk(self, element: Element, style: _Style, pieces: list[str]) -> None:
        self._put(element.text, style, pieces)
        for child in element:
            name = child.tag.removeprefix(TEXT)
            if name in _SIGNS:
                pieces.append(_SIGNS[name])
            elif name == "note":
                self._note(child)
            elif child.tag == f"{OFFICE}annotation":
                self._comment(child)
            elif name in ("hidden-text", "hidden-paragraph"):
                self._put(_all_text(child), _Style(hidden=True), pieces)
            elif child.tag.startswith(DRAW):
                self._after += self._boxes(child)
            elif name == "ruby":
                for base in child.iterfind(f"{TEXT}ruby-base"):
                    self._walk(base, style, pieces)
                self._omitted.texts += [_all_text(r) for r in child.iterfind(f"{TEXT}ruby-text")]
            elif not child.tag.startswith(f"{{{_ODF}office"):
                self._walk(child, self._joined(style, child), pieces)
            self._put(child.tail, style, pieces)

    def _joined(self, outer: _Style, element: Element) -> _Style:
        name = element.get(f"{TEXT}style-name")
        if element.tag != f"{TEXT}span" or not name:
            return outer
        own = self._styles.get(name)
        return replace(
            own,
            bold=own.bold or outer.bold,
            hidden=own.hidden or outer.hidden,
            raised=own.raised or outer.raised,
        )

    def _put(self, text: str | None, style: _Style, pieces: list[str]) -> None:
        if not text:
            return
        text = re.sub(r"[ \n\r\t]+", " ", text)
        if style.hidden and not self._omitted.hidden:
            self._omitted.leave_out("hidden text", text)
            return
        pieces.append(raised(text) if style.raised else text)
        if text.strip():
            self._bold_line = style.bold and self._bold_line is not False

    def _note(self, element: Element) -> None:
        for body in element.iterfind(f"{TEXT}note-body"):
            text = "\n".join(block.text for block in self._story(body).end())
            self._after.append(Block(text))
        citation = element.find(f"{TEXT}note-citation")
        self._omitted.texts.append("" if citation is None else _all_text(citation))

    def _comment(self, element: Element) -> None:
        paragraphs = [*element.iter(f"{TEXT}p")]
        text = "\n".join(map(_all_text, paragraphs))
        self._omitted.texts.append(_all_text(element))
        if self._omitted.hidden:
            self._omitted.added.append(text)
            self._after.append(Block(tidy(text)))
        else:
            self._omitted.leave_out("comment")

    def _boxes(self, shape: Element) -> list[Block]:
        """Return the text in a frame or a shape."""
        blocks: list[Block] = []
        if shape.tag in (f"{DRAW}object", f"{DRAW}object-ole"):
            self._omitted.leave_out("embedded object", _all_text(shape))
            return []
        if shape.find(f"{TEXT}p") is not None or shape.tag == f"{DRAW}text-box":
            return [Block(block.text) for block in self._story(shape).end()]
        for child in shape:
            if child.tag.startswith(DRAW):
                blocks += self._boxes(child)
        return blocks

    def _story(self, element: Element, in_cell: bool = True) -> _Reader:
        story = _Reader(self._styles, self._omitted, in_cell)
        story.read(element)
        return story

    def _table(self, table: Element) -> None:
        rows: list[Row] = []
        read: list[list[list[Block]]] = []
        headers = 0
        labels: dict[int, tuple[int, Cell]] = {}
        nested = any(True for _ in table.iterfind(f".//{TABLE}table-cell//{TABLE}table"))
        for element, is_header in _rows(table, False):
            hides = element.get(f"{TABLE}visibility") in ("collapse", "filter")
            if hides and not self._omitted.hidden:
                self._omitted.leave_out("hidden row", _all_text(element))
                continue
            row: Row = []
            blocks: list[list[Block]] = []
            column = 0
            for held in element:
                if held.tag not in (f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
                    continue
                story = self._story(held)
                cell_blocks = story.end()
                span = max(1, _whole(held.get(f"{TABLE}number-columns-spanned"), 1))
                cell = Cell(in_one_line(cell_blocks), column, span, bool(story.bold))
                down = _whole(held.get(f"{TABLE}number-rows-spanned"), 1)
                if down > 1 and cell.text and len(cell.text) <= LABEL:
                    labels[column] = (len(rows) + down - 1, cell)
                last, label = labels.get(column, (-1, cell))
                if held.tag != f"{TABLE}table-cell" and not cell.text and last >= len(rows):
                    cell = replace(label, repeated=True)
                row.append(cell)
                blocks.append(cell_blocks)
                repeated = _whole(held.get(f"{TABLE}number-columns-repeated"), 1)
                column += min(max(1, repeated), _MOST_REPEATED)
            headers += is_header and headers == len(rows)
            rows.append(row)
            read.append(blocks)
        if nested or len({cell.column for row in rows for cell in row if cell.text}) <= 1:
            for block in [block for held in read for cell in held for block in cell]:
                self._lines.add(block.text, block.level)
            return
        known = headers if 0 < headers < len(rows) else None
        self._lines.add("\n".join(table_lines(rows, known, self._omitted)))


def _rows(table: Element, in_header: bool) -> Iterator[tuple[Element, bool]]:
    for child in table:
        if child.tag == f"{TABLE}table-row":
            yield child, in_header
        elif child.tag in (f"{TABLE}table-header-rows", f"{TABLE}table-rows"):
            yield from _rows(child, child.tag == f"{TABLE}table-header-rows")
        elif child.tag == f"{TABLE}table-row-group":
            yield from _rows(child, in_header)


def _label(
    kind: Element | None,
    counts: dict[int, int],
    level: int,
    levels: dict[int, Element],
) -> str:
    """Count an item of a list; return its label: "-", "2.", "" for none."""
    if kind is None or kind.tag == f"{TEXT}list-level-style-bullet":
        return "-" if kind is not None or not levels else ""
    start = _whole(kind.get(f"{TEXT}start-value"), 1)
    counts[level] = counts.get(level, start - 1) + 1
    for deeper in [held for held in counts if held > level]:
        del counts[deeper]
    form = kind.get(f"{STYLE}num-format", "")
    if not form:
        return ""
    shown = max(1, _whole(kind.get(f"{TEXT}display-levels"), 1))
    numbers = []
    for at in range(max(1, level - shown + 1), level + 1):
        held = levels.get(at, kind)
        name = _FORMS.get(held.get(f"{STYLE}num-format", ""), "decimal")
        numbers.append(format_number(counts.get(at, 1), name))
    number = ".".join(filter(None, numbers))
    prefix, suffix = kind.get(f"{STYLE}num-prefix", ""), kind.get(f"{STYLE}num-suffix", "")
    return f"{prefix}{number}{suffix}".strip()


def _all_text(element: Element) -> str:
    pieces = []
    for part in element.iter():
        if part.tag in (f"{TEXT}p", f"{TEXT}h", f"{TEXT}tab", f"{TEXT}s", f"{TEXT}line-break"):
            pieces.append(" ")
        pieces.append(part.text or "")
        if part is not element:
            pieces.append(part.tail or "")
    return "".join(pieces)


def _raw_words(content: bytes) -> str:
    at = content.find(b"<office:body")
    text = _TAG.sub(b"", _BREAKS.sub(b" ", _ASIDE.sub(b"", content[max(0, at) :])))
    return html.unescape(text.decode("utf-8", "replace"))


def _whole(text: str | None, usual: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 7 else usual
