"""The rows of a sheet: tables and notes between blank rows, each table with its own header."""

from __future__ import annotations

from bonito_local.passages.office.grid import (
    Header,
    Row,
    Words,
    count_header_rows,
    header_of,
    named_lines,
    title_rows,
)


class Regions:
    """Gathers the rows of a sheet, parts them at blank rows, and writes each part as text."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._rows: list[Row] = []
        self._header_at: int | None = None  # in the rows, where a filter or a table tells it
        self._last = 0
        self._header = Header()
        self._texts: list[str] = []

    def add(self, number: int, row: Row, *, is_header: bool = False) -> None:
        """Add a row by its number; a gap in the numbers parts two regions."""
        row = [cell for cell in row if cell.text]
        if not row or all(cell.repeated for cell in row):
            return
        if number > self._last + 1:
            self._end_region()
        self._last = number
        if is_header and self._rows and len(row) > 1:
            self._end_above_header()
        if is_header and len(row) > 1:
            self._header_at = len(self._rows)
        self._rows.append(row)

    def skip(self, number: int) -> None:
        """Pass over a hidden row: it parts no region."""
        if number == self._last + 1:
            self._last = number

    def end(self) -> list[str]:
        """Return the text of each region."""
        self._end_region()
        return self._texts

    def _end_above_header(self) -> None:
        """End the region above a header; a row of names that span columns belongs to it."""
        above = self._rows[-1]
        spans = any(cell.span > 1 for cell in above) and not any(cell.number for cell in above)
        names = [self._rows.pop()] if spans and len(above) > 1 else []
        last = self._last
        self._end_region()
        self._rows, self._last = names, last

    def _end_region(self) -> None:
        rows, at = self._rows, self._header_at
        self._rows, self._header_at = [], None
        if not rows:
            return
        titles = title_rows(rows) if at is None else 0
        lines = [row[0].text for row in rows[:titles]]
        rows = rows[titles:]
        if len(rows) == 1 and len(rows[0]) == 1:
            self._texts.append("\n".join([*lines, rows[0][0].text]))
            return
        if lines:
            self._texts.append("\n".join(lines))
        headers = count_header_rows(rows) if at is None else at + 1
        if headers and len(rows) > headers and not self._goes_on(rows):
            self._header = header_of(rows[:headers])
            rows = rows[headers:]
        elif not self._goes_on(rows):
            self._header = Header()
        self._texts.append("\n".join(named_lines(rows, self._header, self._words)))

    def _goes_on(self, rows: list[Row]) -> bool:
        """Whether rows after a blank one belong to the table above: its columns, no names."""
        names = self._header.columns
        if not names or any(cell.column not in names for row in rows for cell in row):
            return False
        first = rows[0]
        if all(cell.bold for cell in first):
            return False
        if any(cell.number for cell in first):
            return True
        numbers = {cell.column for row in rows[1:] for cell in row if cell.number}
        return not any(cell.column in numbers for cell in first) and len(rows) == 1
