"""What a run is trained on: pairs of a prompt and what comes after it, read row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bonito_local.errors import TrainingError
from bonito_local.jobs.database import storable
from bonito_local.tasks import FORMS
from bonito_local.training.config import Kind

# In the folder of an export, the first of these: test and validation rows stay out. A long
# split goes on in train-00001.parquet and so on.
_OF_EXPORT = ("data/train.parquet", "train.parquet", "train.jsonl", "rows.jsonl")
_COLUMNS: dict[Kind, tuple[tuple[str, ...], ...]] = {
    "bonito": (("input", "output"),),
    "adapt": (("input", "output"),),
    "tapt": (("text",), ("passage",)),
}


def find_data(path: Path) -> tuple[Path, ...]:
    """The files of rows: `path`, or all that an export's folder holds for training, in order.

    Raises:
        TrainingError: there is none.
    """
    if path.is_dir():
        for name in _OF_EXPORT:
            if (path / name).is_file():
                return path / name, *_more(path / name)
        raise TrainingError(
            f"{path} holds no rows.", "Give a JSONL or Parquet file, or the folder of an export."
        )
    if not path.is_file():
        raise TrainingError(f"There is no file {path}.", "Check `data` in the training file.")
    return (path,)


def _more(first: Path) -> list[Path]:
    """The files in which the split of `first` goes on."""
    if first.suffix != ".parquet":
        return []
    return sorted(first.parent.glob(f"{first.stem}-{'[0-9]' * 5}.parquet"))


def files_hash(files: Sequence[Path]) -> str:
    """SHA-256 of the files' bytes, one after the other, in hex."""
    total = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: total)
        except OSError as error:
            raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error
    return total.hexdigest()


def count_rows(path: Path) -> int:
    """Rows of a file; of Parquet its footer says it.

    Raises:
        TrainingError: it cannot be read.
    """
    if path.suffix == ".parquet":
        from pyarrow import ArrowException
        from pyarrow.parquet import read_metadata

        try:
            return int(read_metadata(path).num_rows)
        except (OSError, ArrowException) as error:
            raise _no_parquet(path) from error
    try:
        with path.open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error


def read_pairs(files: Sequence[Path], kind: Kind) -> Iterator[tuple[str, str]]:
    """Yield prompt and output of each row of the files, as `kind` is trained on them.

    A Bonito's rows have their prompt in `input`; rows to adapt to have an instruction there,
    which gets the paper's prompt around it. Passages (`text`, or an export's `passage`, each
    once) are all output. An output may be empty; such a row teaches nothing.

    Raises:
        TrainingError: a file cannot be read, or lacks a column; the row is named.
    """
    seen: set[bytes] = set()
    for path, number, row in _numbered(files):
        names = next((n for n in _COLUMNS[kind] if all(key in row for key in n)), None)
        if names is None or not all(isinstance(row[name], str) for name in names):
            needed = " or ".join(" and ".join(f'"{n}"' for n in each) for each in _COLUMNS[kind])
            raise TrainingError(
                f"Row {number} of {path} lacks a text.",
                f"Each needs {needed}; it has {', '.join(map(str, row)) or 'nothing'}.",
            )
        texts = [storable(row[name]) for name in names]  # JSON may hold half a surrogate pair
        if kind == "bonito":
            yield texts[0], texts[1]
        elif kind == "adapt":
            yield FORMS["adapted"].wrap(texts[0]), texts[1].strip()
        else:
            text = texts[0].strip()
            if (key := hashlib.sha256(text.encode()).digest()[:16]) not in seen:
                seen.add(key)
                yield "", text


def _numbered(files: Sequence[Path]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    for path in files:
        for number, row in enumerate(_records(path), 1):
            yield path, number, row


def _records(path: Path) -> Iterator[dict[str, Any]]:
    return _parquet(path) if path.suffix == ".parquet" else _lines(path)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise _no_row(path, number) from error
                if not isinstance(row, dict):
                    raise _no_row(path, number)
                yield row
    except OSError as error:
        raise TrainingError(f"Cannot read {path}: {error.strerror}.") from error


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            wanted = ("input", "output", "text", "passage")
            columns = [name for name in file.schema_arrow.names if name in wanted]
            for batch in file.iter_batches(columns=columns):
                yield from batch.to_pylist()
    except (OSError, ArrowException) as error:
        raise _no_parquet(path) from error


def _no_parquet(path: Path) -> TrainingError:
    return TrainingError(f"{path} cannot be read as Parquet.", "Export it again.")


def _no_row(path: Path, number: int) -> TrainingError:
    return TrainingError(
        f"Line {number} of {path} is not a JSON object.", "Give a file with a row on each line."
    )
