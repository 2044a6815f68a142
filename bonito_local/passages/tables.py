"""The text column of tables: JSONL, CSV, TSV and Parquet, a row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bonito_local.errors import DocumentError, did_you_mean
from bonito_local.passages.plain import bom_encoding
from bonito_local.passages.types import Problem

TEXT_COLUMNS = ("text", "context", "passage", "content")
_PEEK = 100  # rows of a JSONL file that tell its columns
_SHOWN = 5  # broken lines reported one by one; the others are counted
_MAX_CELL = 50_000_000  # characters
_BATCH = 256  # rows of a Parquet file in memory

Row = tuple[int, str]


def read_rows(path: Path, source: str, kind: str, column: str | None) -> Iterator[Row | Problem]:
    """Yield (1-based row, text) for every row whose text is not empty.

    A row that cannot be read is a Problem that names its line. Without `column`, the
    one column named text, context, passage or content is taken.

    Raises:
        DocumentError: there is no such column, it holds no text, or the file is broken.
    """
    readers = {".jsonl": _json_rows, ".ndjson": _json_rows, ".parquet": _parquet_rows}
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
    listed = ", ".join(columns[:20])
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
    for _, value in held:
        if isinstance(value, dict):
            columns.update(dict.fromkeys(value))
    if not columns:
        raise DocumentError(
            "The file holds no JSON objects, one a line.", "Check that it is JSONL."
        )
    return pick_column(list(columns), column)


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
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        header = _header(reader)
        at = header.index(pick_column(header, column))
        row = 0
        while True:
            first = reader.line_num + 1
            row += 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield f"{_lines(first, reader.line_num)} no valid CSV ({error})."
                continue
            if cells is None:
                return
            if len(cells) == len(header):
                yield row, cells[at]
            elif any(cells):
                yield f"Line {first} has {len(cells)} fields where the header has {len(header)}."


def _header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DocumentError(
            f"The table's header line is no valid CSV ({error}).",
            "Save it anew as CSV with a header line.",
        ) from error
    if not any(header):
        raise DocumentError("The table is empty.", "Leave it out.")
    return header


def _lines(first: int, last: int) -> str:
    return f"Line {first} is" if first >= last else f"Lines {first} to {last} are"


def _csv_encoding(path: Path) -> str:
    """Return the byte order mark's encoding, else UTF-8 if all of the file is, else cp1252."""
    with path.open("rb") as file:
        if encoding := bom_encoding(file.read(4)):
            return encoding
    try:
        with path.open(encoding="utf-8") as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _parquet_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            name = pick_column(schema.names, column)
            kind = schema.field(name).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise DocumentError(
                    f"Column {name!r} holds {kind}, not text.",
                    f"Name a text column with --column. The columns: {', '.join(schema.names)}.",
                )
            row = 0
            for batch in file.iter_batches(batch_size=_BATCH, columns=[name]):
                for text in batch.column(0).to_pylist():
                    row += 1
                    yield row, text or ""
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            "The file is damaged, or no Parquet file.", "Write it anew and try again."
        ) from error
