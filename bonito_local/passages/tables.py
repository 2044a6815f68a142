"""The text column of tables: JSONL, CSV, TSV, Parquet and Arrow, a row at a time."""

from __future__ import annotations

import codecs
import csv
import json
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from bonito_local.errors import DocumentError, did_you_mean
from bonito_local.passages.encoding import bom_encoding, guess_encoding
from bonito_local.passages.types import Problem

TEXT_COLUMNS = ("text", "context", "passage", "content")
_PEEK = 100  # rows of a JSONL file that tell its columns
_MOST_NAMED = 20  # columns in a message
_SHOWN = 5  # broken lines reported one by one; the others are counted
_MAX_CELL = 50_000_000  # characters
_JSON_KINDS: dict[type, str] = {
    bool: "true and false",
    int: "numbers",
    float: "numbers",
    list: "lists",
    dict: "objects",
}
_PIECE = 1 << 20  # bytes of a CSV file looked at together
_BATCH = 256  # rows of a Parquet or Arrow file in memory

Row = tuple[int, str]


def read_rows(path: Path, source: str, kind: str, column: str | None) -> Iterator[Row | Problem]:
    """Yield (1-based row, text) for every row whose text is not empty.

    A row that cannot be read is a Problem that names its line. Without `column`, the
    one column named text, context, passage or content is taken.

    Raises:
        DocumentError: there is no such column, it holds no text, or the file is broken.
    """
    readers = {
        ".jsonl": _json_rows,
        ".ndjson": _json_rows,
        ".parquet": _parquet_rows,
        ".arrow": _arrow_rows,
    }
    rows = readers.get(kind, _csv_rows)(path, column)
    read = broken = 0
    for row in rows:
        if isinstance(row, str):
            broken += 1
            if broken <= _SHOWN:
                yield Problem(source, row, "The line was left out.")
        elif row[1].strip():
            read += 1
            yield row
    if broken > _SHOWN:
        yield Problem(source, f"{broken - _SHOWN} more broken lines were left out.")
    if not read:
        raise DocumentError("The table holds no text.", "Name its text column with --column.")


def pick_column(columns: list[str], column: str | None) -> str:
    """Return the column to read.

    Raises:
        DocumentError: `column` is not there, or is not given and cannot be guessed.
    """
    listed = ", ".join(columns[:_MOST_NAMED])
    if column is not None:
        if column in columns:
            return column
        hint = did_you_mean(column, columns)
        raise DocumentError(
            f"The table has no column {column!r}.",
            hint if hint.startswith("Did") else f"Its columns: {listed}.",
        )
    known = [name for name in columns if name.lower() in TEXT_COLUMNS]
    if len(known) != 1:
        which = "Several columns could be" if known else "No column is clearly"
        raise DocumentError(
            f"{which} the text to read.", f"Name one with --column. The columns: {listed}."
        )
    return known[0]


def _json_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    name: str | None = None
    held: list[tuple[int, object]] = []
    for line, value in _json_values(path):
        held.append((line, value))
        if name is None and len(held) < _PEEK:
            continue
        name = name or _json_column(held, column)
        yield from _json_texts(held, name)
        held = []
    if held:
        yield from _json_texts(held, name or _json_column(held, column))


def _json_values(path: Path) -> Iterator[tuple[int, object]]:
    """Yield each line's number and value; a line that cannot be read has its error as value."""
    with _open_lines(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, error


def _open_lines(path: Path) -> IO[Any]:
    with path.open("rb") as file:
        encoding = bom_encoding(file.read(4))
    return path.open(encoding=encoding, errors="replace") if encoding else path.open("rb")


def _json_column(held: list[tuple[int, object]], column: str | None) -> str:
    columns: dict[str, None] = {}
    objects = [value for _, value in held if isinstance(value, dict)]
    for value in objects:
        columns.update(dict.fromkeys(value))
    if not columns:
        raise DocumentError(
            "The file holds no JSON objects, one a line.", "Check that it is JSONL."
        )
    name = pick_column(list(columns), column)
    cells = [value[name] for value in objects if value.get(name) is not None]
    if cells and not any(isinstance(cell, str) for cell in cells):
        raise _no_text(name, _JSON_KINDS[type(cells[0])], list(columns))
    return name


def _json_texts(held: list[tuple[int, object]], name: str) -> Iterator[Row | str]:
    for line, value in held:
        if isinstance(value, Exception):
            yield f"Line {line} is not valid JSON."
        elif not isinstance(value, dict):
            yield f"Line {line} is not a JSON object."
        elif isinstance(text := value.get(name, ""), str):
            yield line, text
        elif text is not None:
            yield f"Line {line}: {name!r} is not text."


def _csv_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    csv.field_size_limit(_MAX_CELL)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ""
    with path.open(encoding=_csv_encoding(path), errors="replace", newline="") as file:
        delimiter = delimiter or _delimiter(file.readline())
        file.seek(0)
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = _header(reader)
        at = header.index(pick_column(header, column))
        row = 0
        while True:
            first = lines.begin()
            row += 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                lines.go_back()
                yield f"Line {first} is no valid CSV: {_fault(error)}."
                continue
            if cells is None:
                return
            if len(cells) == len(header):
                yield row, cells[at]
            elif any(cells):
                lines.go_back()
                fields = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
                yield f"Line {first} has {fields} where the header has {len(header)}."


class _Lines:
    """A file's lines, which a broken record can give back but for its first.

    A quote that is never closed takes in all that follows, up to the longest cell there may be.
    """

    def __init__(self, file: Iterable[str]) -> None:
        self._file = iter(file)
        self._given: deque[str] = deque()
        self._record: list[str] = []
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._given.popleft() if self._given else next(self._file)
        self._record.append(line)
        self._number += 1
        return line

    def begin(self) -> int:
        """Return the number of the line where the next record begins."""
        self._record.clear()
        return self._number + 1

    def go_back(self) -> None:
        """Have all lines of the record but its first come again."""
        again = self._record[1:]
        self._given.extendleft(reversed(again))
        self._number -= len(again)


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DocumentError(
            f"The table's header line is no valid CSV: {_fault(error)}.",
            "Save it anew as CSV with a header line.",
        ) from error
    if not any(header):
        raise DocumentError("The table is empty.", "Leave it out.")
    return header


def _fault(error: csv.Error) -> str:
    """Say in the user's words what a strict reader objects to."""
    if "limit" in str(error):
        return f"a quote in it is not closed, or a cell has over {_MAX_CELL:,} characters"
    return "a quote in it is not closed, or stands alone"


def _csv_encoding(path: Path) -> str:
    """Return the byte order mark's encoding, else UTF-8 if all of the file is, else a guess."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        piece = file.read(_PIECE)
        if encoding := bom_encoding(piece):
            return encoding
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(_PIECE)
        except UnicodeDecodeError:
            return guess_encoding(piece)
    return "utf-8"


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _parquet_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            name = _text_column(file.schema_arrow, column)
            yield from _numbered(file.iter_batches(batch_size=_BATCH, columns=[name]), name)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            "The file is damaged, or no Parquet file.", "Write it anew and try again."
        ) from error


def _arrow_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    """Read a file of a dataset that `datasets` saved (an IPC stream), or an IPC file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            try:
                stream = pa.ipc.open_stream(file)
            except pa.ArrowInvalid:
                file.seek(0)
                held = pa.ipc.open_file(file)
                batches = (held.get_batch(at) for at in range(held.num_record_batches))
                yield from _numbered(batches, _text_column(held.schema, column))
                return
            yield from _numbered(stream, _text_column(stream.schema, column))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            "The file is damaged, or no Arrow file.", "Write it anew and try again."
        ) from error


def _text_column(schema: Any, column: str | None) -> str:
    import pyarrow as pa

    name = pick_column(schema.names, column)
    kind = schema.field(name).type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise _no_text(name, kind, schema.names)
    return name


def _no_text(name: str, kind: object, columns: list[str]) -> DocumentError:
    return DocumentError(
        f"Column {name!r} holds {kind}, not text.",
        f"Name a text column with --column. The columns: {', '.join(columns[:_MOST_NAMED])}.",
    )


def _numbered(batches: Iterable[Any], name: str) -> Iterator[Row]:
    row = 0
    for batch in batches:
        column = batch.column(batch.schema.get_field_index(name))
        column.validate(full=True)  # offsets that point out of it are found here
        for at in range(0, len(column), _BATCH):
            for text in column.slice(at, _BATCH).to_pylist():
                row += 1
                yield row, text or ""
