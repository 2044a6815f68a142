"""The text column of tables: JSONL, CSV, TSV, Parquet and Arrow, a row at a time."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from bonito_local.errors import DocumentError
from bonito_local.passages.columns import Place, field_at, joined, no_text, pick_columns, shown
from bonito_local.passages.encoding import bom_encoding, guess_encoding
from bonito_local.passages.types import Problem

_PEEK = 100  # rows of a JSONL file that tell its columns
_SHOWN = 5  # broken lines reported one by one; the others are counted
_MAX_CELL = 50_000_000  # characters
_SEPARATOR = re.compile(r"""["']?sep=(.)["']?\s*""", re.IGNORECASE)  # Excel's first line
_QUOTED = re.compile(r'"(?:[^"]|"")*"?')
_PIECE = 1 << 20  # bytes of a CSV file looked at together
_SAMPLE = 100_000  # characters of a CSV file that tell its delimiter
_LONGEST_SEPARATOR = 10
_BATCH = 256  # rows of a Parquet or Arrow file in memory

Row = tuple[int, str]


def read_rows(path: Path, source: str, kind: str, column: str | None) -> Iterator[Row | Problem]:
    """Yield (1-based row, text) for every row whose text is not empty.

    A row that cannot be read is a Problem that names its line. `column` is as in
    `pick_columns`; the texts of several columns are joined.

    Raises:
        DocumentError: there is no such column, it holds no text, or the file is broken.
    """
    readers: dict[str, Callable[[Path, str | None], Iterator[Row | str]]] = {
        ".jsonl": _json_rows,
        ".ndjson": _json_rows,
        ".parquet": _parquet_rows,
        ".arrow": _arrow_rows,
        ".tsv": partial(_csv_rows, delimiter="\t"),
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


def _json_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    places: list[Place] = []
    held: list[tuple[int, object]] = []
    for line, value in _json_values(path):
        held.append((line, value))
        if not places and len(held) < _PEEK:
            continue
        places = places or _json_columns(held, column)
        yield from _json_texts(held, places)
        held = []
    if held:
        yield from _json_texts(held, places or _json_columns(held, column))


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
    encoding = _encoding(path)
    return (
        path.open("rb") if encoding == "utf-8" else path.open(encoding=encoding, errors="replace")
    )


def _json_columns(held: list[tuple[int, object]], column: str | None) -> list[Place]:
    columns: dict[str, None] = {}
    objects = [value for _, value in held if isinstance(value, dict)]
    for value in objects:
        columns.update(dict.fromkeys(value))
    if not columns:
        raise DocumentError(
            "The file holds no JSON objects, one a line.", "Check that it is JSONL."
        )
    places = pick_columns(list(columns), column, nested=True)
    for place in places:
        cells = [cell for value in objects if (cell := field_at(value, place)) is not None]
        if cells and not any(isinstance(cell, str) for cell in cells):
            raise no_text(place, type(cells[0]), list(columns))
    return places


def _json_texts(held: list[tuple[int, object]], places: list[Place]) -> Iterator[Row | str]:
    for line, value in held:
        if isinstance(value, Exception):
            yield f"Line {line} is not valid JSON."
        elif not isinstance(value, dict):
            yield f"Line {line} is not a JSON object."
        else:
            yield _joined(f"Line {line}", line, value, places)


def _joined(where: str, row: int, record: object, places: Sequence[Place]) -> Row | str:
    """Return a record's texts as one; where a field is no text, the line that says so."""
    texts: list[str | None] = []
    for place in places:
        text = field_at(record, place)
        if text is not None and not isinstance(text, str):
            return f"{where}: {shown(place)!r} is not text."
        texts.append(text)
    return row, texts[0] or "" if len(texts) == 1 else joined(texts)


def _csv_rows(path: Path, column: str | None, delimiter: str = "") -> Iterator[Row | str]:
    csv.field_size_limit(_MAX_CELL)
    with path.open(encoding=_encoding(path), errors="replace", newline="") as file:
        before = 0
        if named := _SEPARATOR.fullmatch(file.readline(_LONGEST_SEPARATOR)):
            delimiter, before = named[1], 1
        else:
            file.seek(0)
            delimiter = delimiter or _delimiter(file.read(_SAMPLE))
            file.seek(0)
        lines = _Lines(file, before)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        header = _header(reader)
        picked = pick_columns(header, column, nested=False)
        places = [header.index(name) for (name,) in picked]
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
                texts = [cells[at] for at in places]
                yield row, texts[0] if len(texts) == 1 else joined(texts)
            elif any(cells):
                lines.go_back()
                fields = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
                yield f"Line {first} has {fields} where the header has {len(header)}."


class _Lines:
    """A file's lines, which a broken record can give back but for its first.

    A quote that is never closed takes in all that follows, up to the longest cell there may be.
    """

    def __init__(self, file: Iterable[str], before: int = 0) -> None:
        """Give the lines of a file, of which `before` were read."""
        self._file = iter(file)
        self._given: deque[str] = deque()
        self._record: list[str] = []
        self._number = before

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


def _encoding(path: Path) -> str:
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


def _delimiter(text: str) -> str:
    """Return what parts the cells of the first line: what is in quotes does not count."""
    bare = _QUOTED.sub('""', text).lstrip("\r\n")
    header = re.split(r"[\r\n]", bare, maxsplit=1)[0]
    return max(",;\t|", key=header.count)


def _parquet_rows(path: Path, column: str | None) -> Iterator[Row | str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            places = _text_columns(file.schema_arrow, column)
            names = list(dict.fromkeys(place[0] for place in places))
            yield from _numbered(file.iter_batches(batch_size=_BATCH, columns=names), places)
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
                yield from _numbered(batches, _text_columns(held.schema, column))
                return
            yield from _numbered(stream, _text_columns(stream.schema, column))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            "The file is damaged, or no Arrow file.", "Write it anew and try again."
        ) from error


def _text_columns(schema: Any, column: str | None) -> list[Place]:
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    places = pick_columns(schema.names, column, nested=True)
    for place in places:
        kind = schema.field(place[0]).type
        held = kind.value_type if pa.types.is_dictionary(kind) else kind
        if len(place) == 1 and not any(is_text(held) for is_text in texts):
            raise no_text(place, kind, schema.names)
    return places


def _numbered(batches: Iterable[Any], places: list[Place]) -> Iterator[Row | str]:
    names = list(dict.fromkeys(place[0] for place in places))
    row = 0
    for batch in batches:
        columns = [batch.column(batch.schema.get_field_index(name)) for name in names]
        for column in columns:
            column.validate(full=True)  # offsets that point out of it are found here
        for at in range(0, batch.num_rows, _BATCH):
            cells = [column.slice(at, _BATCH).to_pylist() for column in columns]
            for values in zip(*cells, strict=True):
                row += 1
                yield _joined(f"Row {row}", row, dict(zip(names, values, strict=True)), places)
