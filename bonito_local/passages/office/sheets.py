"""Spreadsheets (XLSX), read from their XML: a line per row, numbers as they are shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from bonito_local.passages.blocks import Block, tidy
from bonito_local.passages.completeness import Part
from bonito_local.passages.notes import Notes, counted
from bonito_local.passages.office.grid import LABEL, Cell, Row
from bonito_local.passages.office.numberformat import BUILT_IN, format_number
from bonito_local.passages.office.omitted import Omitted
from bonito_local.passages.office.outline import in_one_line
from bonito_local.passages.office.package import A, Package, R, X, damaged, is_on
from bonito_local.passages.office.regions import Regions

_SHEET_LEVEL = 2
_MOST_COLUMNS = 16_384
_MOST_CHECKED = 30_000_000  # bytes of a sheet: words of larger ones are not compared
_SHOWN = 5
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
_RAW_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?c>)", re.DOTALL)
_RAW_VALUE = re.compile(rb"<(?:\w+:)?v\b[^>]*>([^<]*)<")
_RAW_TEXT = re.compile(rb"<(?:\w+:)?t\b[^>]*>([^<]*)<")
_RAW_KIND = re.compile(rb'\bt="(\w+)"')
_RECALCULATE = "Open it in a spreadsheet program and save it: then their values are stored."


def sheet_blocks(data: bytes, notes: Notes) -> list[Block]:
    """Read a workbook into blocks, each sheet under its name.

    Raises:
        DocumentError: the document is damaged, or no workbook.
    """
    package = Package(data, ".xlsx")
    main = package.main()
    root = package.xml(main)
    if root is None or root.tag != f"{X}workbook":
        raise damaged(".xlsx", "its main part is no workbook")
    book = _Book(package, main, root, notes)
    blocks: list[Block] = []
    for element in root.iterfind(f"{X}sheets/{X}sheet"):
        blocks += book.sheet(element)
    book.report()
    book.omitted.check(book.parts, "\n".join(block.text for block in blocks), "sheet")
    return blocks


@dataclass(slots=True)
class _Format:
    """How a cell is shown."""

    code: str = ""
    bold: bool = False


_UNFORMATTED = _Format()


@dataclass(slots=True)
class _Sheet:
    """What a sheet says of its rows and columns."""

    hidden_columns: set[int] = field(default_factory=set)
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    headers: set[int] = field(default_factory=set)


class _Book:
    """A workbook: its sheets, strings and formats."""

    def __init__(self, package: Package, main: str, root: Element, notes: Notes) -> None:
        self.omitted = Omitted(notes)
        self.parts: list[Part] = []
        self._notes = notes
        self._package = package
        self._relations = package.relations(main)
        self._strings = _strings(package, main)
        self._formats = _formats(package, main)
        self._unstored: list[str] = []
        self._numbers: list[str] = []  # as they are shown: no text of the file has them
        properties = root.find(f"{X}workbookPr")
        self._date1904 = properties is not None and is_on(properties.get("date1904"))

    def report(self) -> None:
        """Record what was left out of all sheets."""
        self.omitted.report()
        if self._unstored:
            count = len(self._unstored)
            shown = ", ".join(self._unstored[:_SHOWN]) + ", ..." * (count > _SHOWN)
            has = "has" if count == 1 else "have"
            title = f"{counted(count, 'formula')} {has} no stored value ({shown})."
            self._notes.add(title, _RECALCULATE)

    def sheet(self, element: Element) -> list[Block]:
        """Read a sheet, unless it is hidden."""
        name = element.get("name", "")
        held = self._relations.get(element.get(f"{R}id", ""))
        if held is None or held.external:
            return []
        if element.get("state") in ("hidden", "veryHidden") and not self.omitted.hidden:
            self.omitted.leave_out("hidden sheet")
            return []
        root = self._package.xml(held.target)
        if root is None or root.tag != f"{X}worksheet":
            self.omitted.leave_out("chart")
            return []
        sheet = self._layout(root, held.target)
        regions = Regions(self.omitted)
        for number, row in self._rows(root, sheet, name):
            if row is None:
                regions.skip(number)
            else:
                regions.add(number, row, is_header=number in sheet.headers)
        blocks = [Block(text) for text in regions.end()]
        blocks += self._drawn(held.target)
        blocks += self._comments(held.target)
        raw = self._package.read(held.target) or b""
        if len(raw) <= _MOST_CHECKED:
            self.parts.append(Part(name, raw_words(raw, self._strings)))
            self.omitted.added.append(f"{name}\n{' '.join(self._numbers)}")
        self._numbers.clear()
        return [Block(name, _SHEET_LEVEL), *blocks] if blocks else []

    def _layout(self, root: Element, part: str) -> _Sheet:
        sheet = _Sheet()
        for held in root.iterfind(f"{X}cols/{X}col"):
            if is_on(held.get("hidden")) or held.get("width") == "0":
                last = min(_whole(held.get("max")), _MOST_COLUMNS)
                sheet.hidden_columns |= set(range(_whole(held.get("min")) - 1, last))
        for held in root.iterfind(f"{X}mergeCells/{X}mergeCell"):
            if (area := _area(held.get("ref", ""))) is not None:
                (column, row), (last_column, last_row) = area
                sheet.merged[row, column] = (last_row - row + 1, last_column - column + 1)
        filters = [held.get("ref", "") for held in root.iterfind(f"{X}autoFilter")]
        for name in self._package.related(part, "table"):
            table = self._package.xml(name)
            if table is not None and table.get("headerRowCount") != "0":
                filters.append(table.get("ref", ""))
        sheet.headers = {area[0][1] for ref in filters if (area := _area(ref))}
        return sheet

    def _rows(self, root: Element, sheet: _Sheet, name: str) -> Iterator[tuple[int, Row | None]]:
        """Yield each row with its number; None for one that is hidden."""
        number = 0
        labels: list[tuple[int, Cell]] = []  # merged labels, and the last row of each
        for element in root.iterfind(f"{X}sheetData/{X}row"):
            number = _whole(element.get("r")) or number + 1
            labels = [held for held in labels if held[0] >= number]
            row = list(self._cells(element, number, sheet, name))
            is_hidden = is_on(element.get("hidden")) or element.get("ht") == "0"
            if is_hidden and not self.omitted.hidden:
                text = "\n".join(cell.text for cell in row)
                self.omitted.leave_out("hidden row", text, 1 if text.strip() else 0)
                yield number, None
                continue
            filled = {cell.column for cell in row if cell.text}
            for cell in list(row):
                rows, columns = sheet.merged.get((number, cell.column), (1, 1))
                cell.span = columns
                if rows > 1 and cell.text and len(cell.text) <= LABEL:
                    labels.append((number + rows - 1, replace(cell, repeated=True)))
            below = [cell for _, cell in labels if cell.column not in filled and row]
            yield number, sorted([*row, *below], key=lambda cell: cell.column)

    def _cells(self, row: Element, number: int, sheet: _Sheet, name: str) -> Iterator[Cell]:
        column = -1
        for element in row.iterfind(f"{X}c"):
            place = _REFERENCE.fullmatch(element.get("r", ""))
            column = _column(place[1]) if place else column + 1
            style = self._format(element)
            text, is_number = self._value(element, style, f"{name}!{place[0] if place else number}")
            if is_number:
                self._numbers.append(text)
            else:
                text = in_one_line(text)
            if not text:
                continue
            if column in sheet.hidden_columns and not self.omitted.hidden:
                self.omitted.leave_out("cell in hidden columns", text)
                continue
            yield Cell(text, column, bold=style.bold, number=is_number)

    def _format(self, cell: Element) -> _Format:
        at = _whole(cell.get("s", "0"))
        return self._formats[at] if at < len(self._formats) else _UNFORMATTED

    def _value(self, cell: Element, style: _Format, place: str) -> tuple[str, bool]:
        """Return a cell's text as it is shown, and whether it is a number."""
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return "".join(map(_string, cell.iterfind(f"{X}is"))), False
        text = cell.findtext(f"{X}v")
        if not text:
            if kind != "str" and cell.find(f"{X}f") is not None:
                self._unstored.append(place)
            return "", False
        if kind == "s":
            at = _whole(text)
            return (self._strings[at] if at < len(self._strings) else ""), False
        if kind == "b":
            return ("TRUE" if text.strip() == "1" else "FALSE"), True
        if kind in ("str", "e"):
            return _unescaped(text), False
        if kind == "d":
            return text.removesuffix("T00:00:00"), True
        try:
            value = float(text)
        except ValueError:
            return text, False
        if not abs(value) < 1e300:
            return text, True
        shown = format_number(value, style.code, self._date1904)
        if not shown and not self.omitted.hidden:
            self.omitted.leave_out("hidden cell")
        return shown or (text if self.omitted.hidden else ""), True

    def _drawn(self, part: str) -> list[Block]:
        """Return the text of a sheet's text boxes and shapes."""
        blocks = []
        for name in self._package.related(part, "drawing"):
            root = self._package.xml(name)
            for element in root.iter() if root is not None else ():
                if element.tag == f"{A}p":
                    text = tidy("".join(t.text or "" for t in element.iter(f"{A}t")))
                    self.omitted.added.append(text)
                    blocks.append(Block(text))
                elif element.tag == _CHART:
                    self.omitted.leave_out("chart")
        return [block for block in blocks if block.text]

    def _comments(self, part: str) -> list[Block]:
        blocks = []
        for name in self._package.related(part, "comments"):
            root = self._package.xml(name)
            for comment in root.iter(f"{X}comment") if root is not None else ():
                if not self.omitted.hidden:
                    self.omitted.leave_out("comment")
                    continue
                text = tidy("".join(t.text or "" for t in comment.iter(f"{X}t")))
                self.omitted.added.append(text)
                blocks.append(Block(text))
        return blocks


def raw_words(part: bytes, strings: list[str]) -> str:
    """Return the texts of a sheet's cells, numbers left out, without regard to its structure."""
    pieces: list[str] = []
    for found in _RAW_CELL.finditer(part):
        content = found[2] or b""
        kind = _RAW_KIND.search(found[1])
        name = kind[1] if kind else b""
        value = _RAW_VALUE.search(content)
        if name == b"inlineStr":
            text = b"".join(_RAW_TEXT.findall(content)).decode("utf-8", "replace")
            pieces.append(_unescaped(html.unescape(text)))
        elif name == b"s" and value and value[1].strip().isdigit():
            at = int(value[1])
            pieces.append(strings[at] if at < len(strings) else "")
        elif name in (b"str", b"e") and value:
            pieces.append(_unescaped(html.unescape(value[1].decode("utf-8", "replace"))))
    return "\n".join(pieces)


def _strings(package: Package, main: str) -> list[str]:
    strings = []
    for name in package.related(main, "sharedStrings"):
        root = package.xml(name)
        strings += [_string(item) for item in (root.iterfind(f"{X}si") if root is not None else ())]
    return strings


def _string(item: Element) -> str:
    """Return a string's text, without the readings of its characters."""
    texts = [item.findtext(f"{X}t") or ""]
    texts += [run.findtext(f"{X}t") or "" for run in item.iterfind(f"{X}r")]
    return _unescaped("".join(texts))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _formats(package: Package, main: str) -> list[_Format]:
    names = package.related(main, "styles")
    root = package.xml(names[0]) if names else None
    if root is None:
        return []
    codes = dict(BUILT_IN)
    for held in root.iterfind(f"{X}numFmts/{X}numFmt"):
        codes[_whole(held.get("numFmtId"))] = held.get("formatCode", "")
    bold = [_is_bold(font) for font in root.iterfind(f"{X}fonts/{X}font")]
    formats = []
    for held in root.iterfind(f"{X}cellXfs/{X}xf"):
        font = _whole(held.get("fontId"))
        code = codes.get(_whole(held.get("numFmtId")), "")
        formats.append(_Format(code, font < len(bold) and bold[font]))
    return formats


def _is_bold(font: Element) -> bool:
    held = font.find(f"{X}b")
    return held is not None and is_on(held.get("val"), default=True)


def _area(reference: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first and the last (column, row) of "A1:C3"."""
    found = [_REFERENCE.fullmatch(place) for place in reference.split(":")]
    places = [(_column(place[1]), int(place[2])) for place in found if place]
    return (places[0], places[-1]) if places else None


def _column(letters: str) -> int:
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - ord("A") + 1
    return column - 1


def _whole(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
