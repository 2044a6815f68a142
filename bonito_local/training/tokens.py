"""Rows as tokens, in files that every process of a run maps: made once, found again.

OUTPUT/tokens/ids.bin       all rows' tokens, one after the other, as uint32
OUTPUT/tokens/rows.npz      where each row starts, and how many of its last tokens are trained on
OUTPUT/tokens/about.json    what they were made of, and how many rows were left out and why
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bonito_local.errors import TrainingError

_AT_ONCE = 512  # rows


class Tokenizing(Protocol):
    """What turns texts into tokens."""

    @property
    def bos(self) -> list[int]:
        """What texts begin with: a token, or none."""

    @property
    def eos(self) -> int:
        """What ends a text."""

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """Tokens of each text, without BOS; special tokens' names are plain text."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens of a prompt (with BOS) and of an output (with EOS)."""

    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that are trained on, and those left out: too long, or without an output."""

    rows: int = 0
    input_too_long: int = 0
    output_too_long: int = 0
    empty: int = 0

    def __str__(self) -> str:
        out = {
            "with an input over the limit": self.input_too_long,
            "with an output over the limit": self.output_too_long,
            "without an output": self.empty,
        }
        left = ", ".join(f"{count:,} {why}" for why, count in out.items() if count)
        return f"{self.rows:,} rows" + (f"; left out: {left}" if left else "")


@dataclass(frozen=True, slots=True)
class Tokens:
    """All rows of a run. `outputs` says how many of a row's last tokens are trained on."""

    ids: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]
    counts: Counts

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    def row(self, at: int) -> npt.NDArray[np.uint32]:
        """One row's tokens: BOS, prompt, output, EOS."""
        return self.ids[self.starts[at] : self.starts[at + 1]]


def tokenize(
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizing,
    limits: Limits,
    folder: Path,
    key: str,
) -> Tokens:
    """Return the rows as tokens; from `folder`, if it was made of the same `key`.

    A row over a limit is left out whole and counted. The two texts are tokenized apart, so
    that an output's tokens are the same whatever comes before.

    Raises:
        TrainingError: no row is left.
    """
    found = open_tokens(folder, key)
    if found is None:
        _write(pairs, tokenizer, limits, folder, key)
        found = open_tokens(folder, key)
    if found is None or not found.counts.rows:
        shutil.rmtree(folder, ignore_errors=True)
        raise TrainingError(
            f"No row is left to train on: {found.counts if found else 'the file is gone'}.",
            "Give rows with an output, or raise input_tokens and output_tokens.",
        )
    return found


def open_tokens(folder: Path, key: str) -> Tokens | None:
    """What is in `folder`, if it was made of `key`."""
    try:
        about = json.loads((folder / "about.json").read_text())
        if about["key"] != key:
            return None
        with np.load(folder / "rows.npz", allow_pickle=False) as rows:
            starts, outputs = rows["starts"], rows["outputs"]
        size = int(starts[-1])
        file = folder / "ids.bin"
        ids = np.memmap(file, np.uint32, "r", shape=(size,)) if size else np.zeros(0, np.uint32)
        return Tokens(ids, starts, outputs, Counts(**about["counts"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _write(
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizing,
    limits: Limits,
    folder: Path,
    key: str,
) -> None:
    part = folder.with_name(f"{folder.name}.part")
    for old in (part, folder):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    starts, outputs = [0], []
    left = {"input_too_long": 0, "output_too_long": 0, "empty": 0}
    try:
        with _private(part / "ids.bin") as file:
            for prompt, output in _encoded(pairs, tokenizer):
                begun = [*tokenizer.bos, *prompt]
                ended = [*output, tokenizer.eos]
                # What nothing comes before cannot be predicted.
                trained = len(ended) - (not begun)
                if not output:
                    left["empty"] += 1
                elif len(begun) > limits.input:
                    left["input_too_long"] += 1
                elif len(ended) > limits.output:
                    left["output_too_long"] += 1
                else:
                    file.write(np.array(begun + ended, np.uint32).tobytes())
                    starts.append(starts[-1] + len(begun) + len(ended))
                    outputs.append(trained)
        with _private(part / "rows.npz") as file:
            np.savez(file, starts=np.array(starts), outputs=np.array(outputs, np.int64))
        about = {"key": key, "counts": asdict(Counts(rows=len(outputs), **left))}
        with _private(part / "about.json") as file:
            file.write(json.dumps(about, indent=2).encode())
        part.replace(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise TrainingError(
            f"{folder} cannot be written: {error.strerror or error}.", "Free some space."
        ) from error


def _encoded(
    pairs: Iterable[tuple[str, str]], tokenizer: Tokenizing
) -> Iterator[tuple[list[int], list[int]]]:
    waiting = iter(pairs)
    while some := list(islice(waiting, _AT_ONCE)):
        texts = [text for pair in some for text in pair]
        ids = tokenizer.encode_all(texts)
        yield from zip(ids[::2], ids[1::2], strict=True)


def _private(path: Path) -> Any:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
