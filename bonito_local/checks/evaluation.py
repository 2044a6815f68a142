"""Rows that give an evaluation set away: those that share a run of words with it.

A model trained on such a row is measured on what it has seen. As for GPT-3 (Brown et al., 2020,
appendix C) a run of 13 words counts; of shorter texts of the set, like most questions, the
whole of an instruction or of a response.
"""

from __future__ import annotations

import csv
import io
import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonito_local.bounds import open_ordinary
from bonito_local.checks.text import without_passage, words
from bonito_local.errors import UsageError
from bonito_local.tasks import Pair

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KINDS = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt", ".md")
_SHORTEST = 5  # words of a text that says something by itself
_LONGEST_CELL = 1 << 24
_MOST_SIGNS = 100_000_000  # of a file that is read at once


class EvaluationSet:
    """The runs of words of an evaluation set, as 8 bytes each.

    Attributes:
        mark: the same for the same set and the same length of runs.
    """

    def __init__(self, texts: Iterable[str], run: int) -> None:
        self._run = run
        runs, short = array("Q"), array("Q")
        for text in texts:
            said = words(text)
            if len(said) >= run:
                runs.extend(_runs(said, run))
            elif len(said) >= _SHORTEST:
                short.append(_hash(said))
        self._runs, self._short = _sorted(runs), _sorted(short)
        held = blake2b(self._runs.tobytes(), digest_size=16, salt=run.to_bytes(8, "big"))
        held.update(self._short.tobytes())
        self.mark = held.hexdigest()

    def holds(self, pair: Pair, passage: str) -> bool:
        """Whether a row, or its passage where it has it, shares a run with the set."""
        for side in (pair.instruction, pair.response):
            if _any_of(self._runs, _runs(words(side), self._run)):
                return True
            bare = words(without_passage(side, passage))
            if len(bare) >= _SHORTEST and _any_of(self._short, [_hash(bare)]):
                return True
        return False


def read_evaluation(paths: Sequence[Path], run: int) -> EvaluationSet | None:
    """Read the sets in files and folders, all texts of all columns; None for no path.

    Raises:
        UsageError: one cannot be read, or holds no text.
    """
    if not paths:
        return None
    found = EvaluationSet((text for path in paths for text in _texts(path)), run)
    if not (found._runs.size or found._short.size):
        raise UsageError(
            f"The evaluation set {paths[0]} holds no text of {_SHORTEST} words or more.",
            "Name its files, or leave it out.",
        )
    return found


def _texts(path: Path) -> Iterator[str]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in KINDS)
    else:
        files = [path]
    if not files:
        raise _unreadable(path, "it holds none of " + ", ".join(KINDS))
    for file in files:
        try:
            yield from _of_file(file)
        except (OSError, ValueError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise _unreadable(file, why.splitlines()[0]) from error
        except RecursionError as error:
            raise _unreadable(file, "it is nested too deeply") from error


def _of_file(file: Path) -> Iterator[str]:
    kind = file.suffix.lower()
    if kind == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches():
                yield from _strings(batch.to_pylist())
        return
    with io.TextIOWrapper(open_ordinary(file), "utf-8", "replace", "") as lines:
        if kind == ".jsonl":
            for line in lines:
                if line.strip():
                    yield from _strings(json.loads(line))
        elif kind == ".json":
            yield from _strings(json.loads(_whole(lines)))
        elif kind in (".csv", ".tsv"):
            csv.field_size_limit(_LONGEST_CELL)
            for row in csv.reader(lines, "excel-tab" if kind == ".tsv" else "excel"):
                yield from row
        elif kind in (".txt", ".md"):
            yield _whole(lines)
        else:
            raise ValueError("it is none of " + ", ".join(KINDS))


def _whole(file: io.TextIOWrapper) -> str:
    found = file.read(_MOST_SIGNS + 1)
    if len(found) > _MOST_SIGNS:
        raise ValueError(f"it is longer than {_MOST_SIGNS:,} characters")
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _runs(said: Sequence[str], run: int) -> Iterator[int]:
    return (_hash(said[at : at + run]) for at in range(len(said) - run + 1))


def _hash(said: Sequence[str]) -> int:
    return int.from_bytes(blake2b(" ".join(said).encode(), digest_size=8).digest(), "big")


def _sorted(hashes: array[int]) -> npt.NDArray[np.uint64]:
    import numpy as np

    return np.unique(np.frombuffer(hashes, np.uint64)) if hashes else np.empty(0, np.uint64)


def _any_of(held: npt.NDArray[np.uint64], hashes: Iterable[int]) -> bool:
    import numpy as np

    asked = np.fromiter(hashes, np.uint64)
    if not held.size or not asked.size:
        return False
    at = np.searchsorted(held, asked)
    return bool((held[np.minimum(at, held.size - 1)] == asked).any())


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The evaluation set {path} cannot be read: {why}.",
        "Name JSONL, JSON, CSV, Parquet or text files, or folders of them.",
    )
