"""Rows as tokens, in files that every process of a run maps: made once, found again.

A group is a prompt and the outputs of the rows that share it: one output, unless a run shares
prompts.

OUTPUT/tokens/ids.bin       all groups' tokens, one after the other, as uint32
OUTPUT/tokens/groups.npz    starts and prompts' lengths of groups, lengths of outputs (ragged)
OUTPUT/tokens/about.json    what they were made of, and how many rows were left out and why
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bonito_local.errors import TrainingError

_AT_ONCE = 512  # rows
MOST_OUTPUTS = 8  # of a group


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
class Group:
    """A prompt and the outputs of one or more rows that follow it.

    Attributes:
        ids: [N], BOS and the prompt, then each output with its EOS.
        prompt: tokens of BOS and the prompt; 0 where there is neither.
        outputs: tokens of each output with its EOS.
    """

    ids: npt.NDArray[np.uint32]
    prompt: int
    outputs: tuple[int, ...]

    @property
    def trained(self) -> int:
        """Tokens that are predicted: those of all outputs, but the first where nothing precedes."""
        return sum(self.outputs) - (not self.prompt)


@dataclass(frozen=True, slots=True)
class Tokens:
    """All rows of a run, in groups.

    Attributes:
        ids: tokens of all G groups.
        starts: [G + 1], where each group starts in `ids`, and the end.
        prompts: [G], `Group.prompt` of each.
        firsts: [G + 1], where each group's outputs start in `outputs`, and the end.
        outputs: [rows], tokens of each output with its EOS.
        counts: of rows, and of those left out.
    """

    ids: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    prompts: npt.NDArray[np.int64]
    firsts: npt.NDArray[np.int64]
    outputs: npt.NDArray[np.int64]
    counts: Counts

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each group, [G]."""
        return np.diff(self.starts)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of each group, [G]."""
        return np.diff(self.firsts)

    def group(self, at: int) -> Group:
        """Return one group."""
        outputs = self.outputs[self.firsts[at] : self.firsts[at + 1]].tolist()
        ids = self.ids[self.starts[at] : self.starts[at + 1]]
        return Group(ids, int(self.prompts[at]), tuple(outputs))


def tokenize(
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizing,
    limits: Limits,
    folder: Path,
    key: str,
    group_tokens: int = 0,
) -> Tokens:
    """Return the rows as tokens; from `folder`, if it was made of the same `key`.

    A row over a limit is left out whole and counted. The two texts are tokenized apart, so
    that an output's tokens are the same whatever comes before. Consecutive rows with the same
    prompt form a group of at most `MOST_OUTPUTS` outputs and `group_tokens` tokens; with 0, and
    for an empty prompt, each row is a group of its own.

    Raises:
        TrainingError: no row is left.
    """
    found = open_tokens(folder, key)
    if found is None:
        _write(pairs, tokenizer, limits, folder, key, group_tokens)
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
        with np.load(folder / "groups.npz", allow_pickle=False) as arrays:
            starts, prompts = arrays["starts"], arrays["prompts"]
            firsts, outputs = arrays["firsts"], arrays["outputs"]
        size = int(starts[-1])
        file = folder / "ids.bin"
        ids = np.memmap(file, np.uint32, "r", shape=(size,)) if size else np.zeros(0, np.uint32)
        return Tokens(ids, starts, prompts, firsts, outputs, Counts(**about["counts"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def _write(
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizing,
    limits: Limits,
    folder: Path,
    key: str,
    group_tokens: int,
) -> None:
    part = folder.with_name(f"{folder.name}.part")
    for old in (part, folder):
        shutil.rmtree(old, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    starts, prompts, firsts, lengths = [0], [], [0], []
    left = {"input_too_long": 0, "output_too_long": 0, "empty": 0}
    try:
        with _private(part / "ids.bin") as file:
            rows = _within(limits, pairs, tokenizer, left)
            for prompt, outputs in _grouped(rows, len(tokenizer.bos), group_tokens):
                ids = [*prompt, *chain.from_iterable(outputs)]
                file.write(np.array(ids, np.uint32).tobytes())
                starts.append(starts[-1] + len(ids))
                prompts.append(len(prompt))
                firsts.append(firsts[-1] + len(outputs))
                lengths += [len(output) for output in outputs]
        with _private(part / "groups.npz") as file:
            np.savez(
                file,
                starts=np.array(starts, np.int64),
                prompts=np.array(prompts, np.int64),
                firsts=np.array(firsts, np.int64),
                outputs=np.array(lengths, np.int64),
            )
        about = {"key": key, "counts": asdict(Counts(rows=len(lengths), **left))}
        with _private(part / "about.json") as file:
            file.write(json.dumps(about, indent=2).encode())
        part.replace(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise TrainingError(
            f"{folder} cannot be written: {error.strerror or error}.", "Free some space."
        ) from error


def _within(
    limits: Limits,
    pairs: Iterable[tuple[str, str]],
    tokenizer: Tokenizing,
    left: dict[str, int],
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield prompts with BOS and outputs with EOS of rows within the limits; count the others."""
    for prompt, output in _encoded(pairs, tokenizer):
        begun, ended = [*tokenizer.bos, *prompt], [*output, tokenizer.eos]
        if not output:
            left["empty"] += 1
        elif len(begun) > limits.input:
            left["input_too_long"] += 1
        elif len(ended) > limits.output:
            left["output_too_long"] += 1
        else:
            yield begun, ended


def _grouped(
    rows: Iterable[tuple[list[int], list[int]]], bos: int, most: int
) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Yield each prompt with the outputs of consecutive rows that share it, up to `most` tokens."""
    prompt: list[int] = []
    outputs: list[list[int]] = []
    for begun, ended in rows:
        size = len(prompt) + sum(map(len, outputs)) + len(ended)
        fits = len(outputs) < MOST_OUTPUTS and size <= most
        if outputs and fits and begun == prompt and len(begun) > bos:
            outputs.append(ended)
            continue
        if outputs:
            yield prompt, outputs
        prompt, outputs = begun, [ended]
    if outputs:
        yield prompt, outputs


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
