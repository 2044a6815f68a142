"""Tables with merged cells, written a line per row: "Name: Alpha; Fee: $20"."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

LABEL = 60  # characters: what is longer names no column, and is not repeated down merged rows
_ENDS = ".!?"
_NUMBER = re.compile(r"[^\w]*\d[\d\s.,:/%'\u2019-]*(?:[^\W\d_]{1,3}\b)?[^\w]*")
_YEAR = re.compile(r"(?:19|20)\d\d")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(slots=True)
class Cell:
    """A cell: its first column (0-based) and how many it spans.

    `number` is true of numbers and dates, `bold` where all of its text is. `repeated` is true of
    a merged label that stands for its rows below the first too.
    """

    text: str
    column: int
    span: int = 1
    bold: bool = False
    number: bool = False
    repeated: bool = False


Row = list[Cell]


@dataclass(slots=True)
class Words:
    """Texts that a reader writes more often than the document does, and those it drops."""

    added: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Header:
    """Names of columns: for each column, the cells above it.

    `listed` are the ids of the cells that stand in a line already, since no row had a value there.
    """

    columns: dict[int, tuple[Cell, ...]] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)

    def name(self, cell: Cell) -> str:
        """Return the name of a cell's columns; "" where it spans more than one name's."""
        first = self.columns.get(cell.column, ())
        last = self.columns.get(cell.column + cell.span - 1, ())
        if not first or not last or first[-1] is not last[-1]:
            return ""
        return " ".join(dict.fromkeys(held.text for held in first if held.text)).rstrip(":")

    def texts(self, but: Collection[int] = ()) -> list[str]:
        """Return the texts of all cells, each once, but for those with an id in `but`."""
        cells = {id(cell): cell for held in self.columns.values() for cell in held}
        return [cell.text for at, cell in cells.items() if at not in but]


def table_lines(
    rows: Sequence[Row], header_rows: int | None = None, words: Words | None = None
) -> list[str]:
    """Write a table a line per row.

    Args:
        rows: the cells, without empty rows.
        header_rows: how many rows name the columns (None: told by how they look).
        words: takes the texts that are written more than once, or not at all.
    """
    words = words or Words()
    rows = [[cell for cell in row if cell.text] for row in rows]
    rows = [row for row in rows if row]
    titles = 0
    if header_rows is None:
        titles = title_rows(rows)
        header_rows = count_header_rows(rows[titles:])
    lines = ["; ".join(cell.text for cell in row) for row in rows[:titles]]
    body = rows[titles + header_rows :]
    heads = rows[titles : titles + header_rows]
    if not body:
        return lines + [_unnamed(row, words) for row in heads]
    return lines + named_lines(body, header_of(heads), words)


def title_rows(rows: Sequence[Row]) -> int:
    """Count the rows above a table that hold one cell: they title it."""
    width = _width(rows)
    count = 0
    while count < len(rows) - 1 and width > 1 and len(rows[count]) == 1:
        count += 1
    return count if count < len(rows) - 1 or count == 0 else 0


def count_header_rows(rows: Sequence[Row]) -> int:
    """Count the rows, 0 to 2, that name the columns, by how they look."""
    if len(rows) < 2 or not _names_columns(rows) or _is_form(rows):
        return 0
    first, second = rows[0], rows[1]
    groups = [cell for cell in first if cell.span > 1]
    if groups and len(rows) > 2 and all(_is_name(cell) for cell in second):
        under = [cell for cell in second if not cell.repeated]
        covered = {at for cell in groups for at in range(cell.column, cell.column + cell.span)}
        grouped = [cell for cell in under if cell.column in covered]
        if len(grouped) == len(under) > 1 or (len(grouped) > 1 and all(c.bold for c in under)):
            return 2
    return 1


def header_of(rows: Sequence[Row]) -> Header:
    """Return the names of columns that rows of names give."""
    header = Header()
    for row in rows:
        for cell in row:
            for column in range(cell.column, cell.column + cell.span):
                header.columns[column] = (*header.columns.get(column, ()), cell)
    return header


def named_lines(rows: Sequence[Row], header: Header, words: Words) -> list[str]:
    """Write rows a line each, every cell under its column's name."""
    names = {column for column, cells in header.columns.items() if any(c.text for c in cells)}
    if len(names) == 2 and _second_is_prose(rows):
        words.texts += header.texts()
        header = Header()
    lines = []
    unused = dict.fromkeys(header.columns)
    for row in rows:
        if not header.columns or (len(row) == 1 and row[0].span > 1 and not header.name(row[0])):
            lines.append(_unnamed(row, words))
            continue
        groups: list[tuple[str, list[str]]] = []
        above: tuple[Cell, ...] = ()
        for cell in row:
            unused.pop(cell.column, None)
            if cell.repeated:
                words.added.append(cell.text)
            over = header.columns.get(cell.column, ())[-1:]
            name = header.name(cell)
            if groups and over and above and over[0] is above[0] and name:
                groups[-1][1].append(cell.text)
            else:
                groups.append((name, [cell.text]))
                words.added.append(name)
            above = over
        parts = [f"{name}: {', '.join(texts)}" if name else texts[0] for name, texts in groups]
        lines.append("; ".join(parts))
    used = {id(cell) for at, cells in header.columns.items() if at not in unused for cell in cells}
    if left := header.texts(but=used | header.listed):
        lines.insert(0, "; ".join(left))
        header.listed |= {id(cell) for cells in header.columns.values() for cell in cells} - used
    return lines


def _unnamed(row: Row, words: Words) -> str:
    """Join the cells of a row that has no names of columns; a label is parted by a colon."""
    words.added += [cell.text for cell in row if cell.repeated]
    if len(row) == 2 and _LETTER.search(row[0].text) and len(row[0].text) <= LABEL:
        is_label = row[0].bold and not row[1].bold
        is_label |= len(row[1].text) > LABEL and row[1].text[-1] in _ENDS
        if is_label and row[0].text[-1] not in ".!?:;,":
            return f"{row[0].text}: {row[1].text}"
    text = ""
    for cell in row:
        text += ("" if not text else " " if text[-1] == ":" else "; ") + cell.text
    return text


def _width(rows: Sequence[Row]) -> int:
    columns = {cell.column for row in rows for cell in row}
    return len(columns)


def _is_name(cell: Cell) -> bool:
    return len(cell.text) <= LABEL and cell.text[-1] not in _ENDS and not cell.number


def is_number(text: str) -> bool:
    """Whether a text is a number, a sum or a date of figures, and so names no column."""
    return bool(_NUMBER.fullmatch(text))


def _names_columns(rows: Sequence[Row]) -> bool:
    first = rows[0]
    columns = {cell.column for row in rows for cell in row}
    if not all(len(cell.text) <= LABEL and cell.text[-1] not in _ENDS for cell in first):
        return False
    if len(columns) > 1 and len(first) < 2:
        return False
    if len({cell.text for cell in first}) < len(first):
        return False
    for cell in first:
        if cell.number or is_number(cell.text):
            below = [c for row in rows[1:] for c in row if c.column == cell.column]
            if not _YEAR.fullmatch(cell.text) or any(_YEAR.fullmatch(c.text) for c in below):
                return False
    return True


def _is_form(rows: Sequence[Row]) -> bool:
    """Whether a table of two columns is names and values: nothing above names its columns."""
    pairs = [row for row in rows if len(row) == 2]
    if len(pairs) < len(rows) / 2 or _width(rows) != 2:
        return False
    labels = sum(row[0].text.endswith(":") for row in pairs)
    if labels > len(pairs) / 2:
        return True
    first_bold = all(cell.bold for cell in rows[0])
    return not first_bold and sum(r[0].bold and not r[1].bold for r in pairs) > len(pairs) / 2


def _second_is_prose(rows: Sequence[Row]) -> bool:
    """Whether the second of two columns holds sentences, too long for names."""
    columns = sorted({cell.column for row in rows for cell in row})
    if len(columns) != 2:
        return False
    cells = [cell.text for row in rows for cell in row if cell.column == columns[1]]
    sentences = sum(len(text) > LABEL and text[-1] in _ENDS for text in cells)
    return sentences > len(cells) / 2
