"""Writes rows as a dataset folder that `datasets.load_dataset(folder)` reads.

    OUT/README.md            dataset card; its header points `datasets` at the Parquet file
    OUT/data/train.parquet   the rows
    OUT/rows.jsonl           the same rows, to read and for other tools
    OUT/ledger.json          how every planned sample ended
    OUT/problems.json        documents that could not be read

Each file is 0600, written under a temporary name beside its place and then renamed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bonito_local.errors import OutputError
from bonito_local.exports.card import dataset_card

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "data/train.parquet"
FILES = ("README.md", PARQUET, "rows.jsonl", "ledger.json", "problems.json")
_ROW_GROUP = 5000


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the dataset, field for column.

    `passage` is what the row is about; it stands in document `source` (with SHA-256
    `source_sha256`) on `page`, at characters `start` to `end`, under `heading`. `seed` is the
    sample's own, `sample` its index among the passage's n.
    """

    input: str
    output: str
    task_type: str
    passage: str
    source: str
    source_sha256: str
    page: int | None
    start: int
    end: int
    heading: str
    model: str
    seed: int
    sample: int


def write_dataset(
    folder: Path,
    rows: Iterable[Row],
    ledger: Mapping[str, Any],
    problems: Sequence[Mapping[str, str]],
    settings: Mapping[str, Any],
) -> int:
    """Write the five files into `folder`, in place of earlier ones; return the number of rows.

    Raises:
        OutputError: the folder cannot be written to, or its disk is full.
    """
    try:
        (folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        count = _write_rows(folder, rows)
        for name, value in (("ledger.json", ledger), ("problems.json", problems)):
            with _replacing(folder / name) as file:
                file.write(json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n")
        with _replacing(folder / "README.md") as file:
            file.write(dataset_card(count, ledger, settings, PARQUET).encode())
    except OSError as error:
        raise OutputError(
            f"The dataset cannot be written to {folder}: {error.strerror or error}.",
            "Free some space or see to the folder, and run the same command again: "
            "nothing generated is lost.",
        ) from error
    return count


def _write_rows(folder: Path, rows: Iterable[Row]) -> int:
    """Write Parquet and JSONL in one pass, a row group in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, count, source = _schema(), 0, iter(rows)
    with (
        _replacing(folder / "rows.jsonl") as lines,
        _replacing(folder / PARQUET) as table,
        pq.ParquetWriter(table, schema, compression="zstd") as parquet,
    ):
        while group := [asdict(row) for row in islice(source, _ROW_GROUP)]:
            for row in group:
                lines.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            parquet.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


def _schema() -> pa.Schema:
    import pyarrow as pa

    numbers = ("page", "start", "end", "seed", "sample")
    return pa.schema(
        [(name, pa.int64() if name in numbers else pa.string()) for name in Row.__slots__]
    )


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes `path`'s name once it is complete, and only then."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
