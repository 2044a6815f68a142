"""Files of rows that were reviewed elsewhere, read line by line: CSV and JSONL."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from bonito_local.bounds import open_ordinary
from bonito_local.errors import UsageError, did_you_mean
from bonito_local.exports.tables import from_cell
from bonito_local.shapes import parse

FIELDS = ("decision", "decision_reason", "input", "output", "score", "tags", "note")
_CSV, _JSONL = (".csv", ".tsv"), (".jsonl", ".ndjson")
_LONGEST_CELL = 1 << 24  # characters

# A line's number, and its fields or what is wrong with it.
Line = tuple[int, Mapping[str, Any] | str]


def read_reviewed(path: Path) -> Iterator[Line]:
    """Yield the rows of a file, the blank lines left out.

    Raises:
        UsageError: the file cannot be read, is neither CSV nor JSONL, or lacks the columns.
    """
    kind = path.suffix.lower()
    if kind not in (*_CSV, *_JSONL):
        raise UsageError(
            f"{path} is neither CSV nor JSONL.", "Name a .csv, .tsv, .jsonl or .ndjson file."
        )
    try:
        with io.TextIOWrapper(open_ordinary(path), "utf-8-sig", newline="") as file:
            yield from _csv_lines(path, file) if kind in _CSV else _json_lines(file)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8.", 'Save it as "CSV UTF-8", or convert it, and try again.'
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _json_lines(file: IO[str]) -> Iterator[Line]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            found = parse(text)
        except (ValueError, RecursionError):
            yield number, "it is not JSON"
            continue
        yield number, found if isinstance(found, dict) else "it is not an object"


def _csv_lines(path: Path, file: IO[str]) -> Iterator[Line]:
    csv.field_size_limit(_LONGEST_CELL)
    head = file.readline()
    file.seek(0)
    # Spreadsheets separate by what their language's numbers do not use.
    lines = csv.reader(file, delimiter=max(",;\t", key=head.count), strict=True)
    try:
        columns = [name.strip() for name in next(lines, [])]
        _check(path, columns)
        for cells in lines:
            if not any(cells):
                continue
            if len(cells) != len(columns):
                said = f"it has {len(cells)} fields, the first line has {len(columns)}"
                yield lines.line_num, said
            else:
                yield lines.line_num, dict(zip(columns, map(from_cell, cells), strict=True))
    except csv.Error as error:
        # What follows a quote that is not closed is anyone's guess.
        yield lines.line_num, f"it is not CSV ({error}); what follows was not read"


def _check(path: Path, columns: list[str]) -> None:
    shown = ", ".join(columns[:20])
    if "id" not in columns:
        hint = did_you_mean("id", columns) if columns else ""
        raise UsageError(
            f"{path} has no column id.",
            f"{hint if hint.startswith('Did') else f'Its columns: {shown}.'} "
            "An export as csv has it, and so have rows.jsonl and data/train.parquet.",
        )
    if not set(FIELDS) & set(columns):
        raise UsageError(
            f"{path} has nothing to take: its columns are {shown}.",
            f"What is taken: {', '.join(FIELDS)}.",
        )
