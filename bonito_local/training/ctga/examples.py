"""Examples of a dataset's files, one at a time: JSONL, CSV, TSV, Parquet and Arrow."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bonito_local.errors import TrainingError

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow")
_BATCH = 256  # rows of a Parquet or Arrow file in memory
_PEEK = 100  # bytes
_MOST_CELL = 50_000_000  # characters

Example = dict[str, Any]


def read_examples(files: Sequence[Path], header: Sequence[str]) -> Iterator[Example | None]:
    """Yield each example of the files, and None for a line that is none.

    `header` names the columns of CSV files that have no line of names.

    Raises:
        TrainingError: a file cannot be read, or is not what its name says.
    """
    for path in files:
        kind = path.suffix.lower()
        try:
            if kind in (".jsonl", ".ndjson", ".json"):
                yield from _json(path)
            elif kind == ".parquet":
                yield from _parquet(path)
            elif kind == ".arrow":
                yield from _arrow(path)
            else:
                yield from _csv(path, header)
        except OSError as error:
            # pyarrow's own errors have a number only, and name the file once more.
            why = os.strerror(error.errno) if error.errno else str(error)
            raise TrainingError(f"{path} cannot be read: {why}.") from error


def _json(path: Path) -> Iterator[Example | None]:
    with path.open("rb") as file:
        if file.read(_PEEK).lstrip().startswith(b"["):
            raise TrainingError(f"{path} is a JSON list.", "Write an object a line (JSONL).")
        file.seek(0)
        for line in file:
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            yield value if isinstance(value, dict) else None


def _csv(path: Path, header: Sequence[str]) -> Iterator[Example | None]:
    csv.field_size_limit(_MOST_CELL)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            names = list(header) or next(reader, [])
            for cells in _records(reader):
                if cells != []:
                    same = cells is not None and len(cells) == len(names)
                    yield dict(zip(names, cells or (), strict=True)) if same else None
        except UnicodeDecodeError as error:
            raise TrainingError(f"{path} is not UTF-8.", "Save it anew as UTF-8.") from error


def _records(reader: Iterator[list[str]]) -> Iterator[list[str] | None]:
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _parquet(path: Path) -> Iterator[Example]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{path} is damaged, or no Parquet file.", "Download or write it again."
        ) from error


def _arrow(path: Path) -> Iterator[Example]:
    """Read a file of a dataset that `datasets` saved (an IPC stream), or an IPC file."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            try:
                batches: Iterable[Any] = pa.ipc.open_stream(file)
            except pa.ArrowInvalid:
                file.seek(0)
                held = pa.ipc.open_file(file)
                batches = (held.get_batch(at) for at in range(held.num_record_batches))
            for batch in batches:
                for start in range(0, batch.num_rows, _BATCH):
                    yield from batch.slice(start, _BATCH).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TrainingError(
            f"{path} is damaged, or no Arrow file.", "Download or write it again."
        ) from error
