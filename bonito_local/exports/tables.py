"""Rows into files, a few thousand in memory at a time: Parquet, JSONL and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import IO, TYPE_CHECKING, Any, Protocol

from bonito_local.exports.row import Row

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_A_FILE = 500_000  # some hundred MB: what readers in parallel, and hubs, want at most
_ROW_GROUP = 5000
_FORMULA = re.compile(r"'*([=@\t\r]|[+-](?!\d+([.,]\d+)*%?$))")
# Ends of lines to Python's str.splitlines and to some readers of JSONL, but not to JSON.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Table(Protocol):
    """A file that takes rows, each as a mapping of the same columns."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Take a row."""

    def close(self) -> None:
        """Write what is still in memory; the file itself stays open."""


class JsonLines:
    """A JSON object for each row, in UTF-8, ended by a line feed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a line."""
        self._file.write(as_line(row).encode() + b"\n")

    def close(self) -> None:
        """All is written."""


def as_line(row: Mapping[str, Any]) -> str:
    """JSON that is one line to every reader."""
    return json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS)


class Csv:
    """A header and a record for each row, with the mark by which Excel knows UTF-8."""

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._rows = csv.DictWriter(self._text, columns)
        self._rows.writeheader()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a record."""
        self._rows.writerow({name: as_cell(value) for name, value in row.items()})

    def close(self) -> None:
        """Hand over to the file what is not yet."""
        self._text.flush()
        self._text.detach()


def as_cell(value: Any) -> Any:
    """A text as a spreadsheet takes it for one: what it would take for a formula gets a `'`.

    A formula in a document could send what stands beside it out of the machine of whoever opens
    the sheet (CWE-1236). Numbers stay as they are; so do texts that only begin like them.
    """
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def from_cell(text: str) -> str:
    """The text that `as_cell` made this of."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


class Parquet:
    """Columns, compressed, in groups of rows."""

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        import pyarrow.parquet as pq

        self._schema = schema(columns)
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")
        self._group: list[Mapping[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """Take a row, and write the group it completes."""
        self._group.append(row)
        if len(self._group) == _ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Write the last group and the footer."""
        if self._group:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._group, schema=self._schema))
        self._group = []


class Shards:
    """Parquet files of at most `ROWS_A_FILE` rows: NAME.parquet, NAME-00001.parquet and so on."""

    def __init__(self, name: str, opened: Callable[[str], Table]) -> None:
        """Open the first; `opened` opens the file of a name."""
        self._name = name
        self._opened = opened
        self._files = 1
        self._rows = 0
        self._table = opened(name)

    def write(self, row: Mapping[str, Any]) -> None:
        """Write a row to the last of them, or to a new one where that is full."""
        if self._rows == ROWS_A_FILE:
            self._table.close()
            self._table = self._opened(_shard(self._name, self._files))
            self._files, self._rows = self._files + 1, 0
        self._table.write(row)
        self._rows += 1

    def close(self) -> None:
        """Close the last; the others are."""
        self._table.close()


def shard_names(name: str, rows: int) -> list[str]:
    """The files that `Shards` of this name makes of so many rows, in their order."""
    return [name, *(_shard(name, at) for at in range(1, -(-rows // ROWS_A_FILE)))]


def _shard(name: str, at: int) -> str:
    return f"{name.removesuffix('.parquet')}-{at:05}.parquet"


def open_table(kind: str, file: IO[bytes], columns: Sequence[str]) -> Table:
    """A table of `kind` ("parquet", "csv" or "jsonl") in an open file."""
    if kind == "parquet":
        return Parquet(file, columns)
    return Csv(file, columns) if kind == "csv" else JsonLines(file)


def schema(columns: Sequence[str]) -> pa.Schema:
    """The Arrow types of columns of `Row`."""
    import pyarrow as pa

    types = {
        "str": pa.string(),
        "str | None": pa.string(),
        "int": pa.int64(),
        "int | None": pa.int64(),
        "float": pa.float64(),
        "float | None": pa.float64(),
        "bool": pa.bool_(),
    }
    kinds = {field.name: types[str(field.type)] for field in fields(Row)}
    return pa.schema([(name, kinds[name]) for name in columns])
