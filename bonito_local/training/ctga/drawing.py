"""Which examples of a dataset become rows: those whose hash is least, up to the cap.

The hash is of an example's content and the seed, so neither the order of examples nor that of
files matters, and the data may be of any size: only the hashes of the chosen are held.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from bonito_local.training.ctga.counts import OVER_CAP, REPEATED, UNREADABLE
from bonito_local.training.ctga.examples import Example


@dataclass(frozen=True, slots=True)
class Survey:
    """A dataset read once: its columns, its examples, and the greatest hash that is chosen.

    `unreadable` counts the lines that are no example.
    """

    columns: frozenset[str]
    examples: int
    unreadable: int
    greatest: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chosen example: its hash, which seeds all that is drawn for it, and its JSON."""

    key: int
    example: str


def survey(examples: Iterable[Example | None], cap: int, seed: int, dataset: str) -> Survey:
    """Read a dataset to find where its cap is."""
    columns: set[str] = set()
    chosen: set[int] = set()
    greatest: list[int] = []  # a heap of the chosen, negated: the greatest first
    count = unreadable = 0
    for example in examples:
        if example is None:
            unreadable += 1
            continue
        count += 1
        if not columns.issuperset(example):
            columns.update(example)
        key = _draw(example, seed, dataset).key
        if key in chosen:
            continue
        if len(chosen) < cap:
            heapq.heappush(greatest, -key)
        elif key < -greatest[0]:
            chosen.remove(-heapq.heapreplace(greatest, -key))
        else:
            continue
        chosen.add(key)
    return Survey(frozenset(columns), count, unreadable, -greatest[0] if greatest else -1)


def draw(
    examples: Iterable[Example | None], found: Survey, seed: int, dataset: str
) -> Iterator[Drawn | str]:
    """Yield each example that is chosen, and why for every other."""
    drawn: set[int] = set()
    for example in examples:
        if example is None:
            yield UNREADABLE
            continue
        one = _draw(example, seed, dataset)
        if one.key > found.greatest:
            yield OVER_CAP
        elif one.key in drawn:
            yield REPEATED
        else:
            drawn.add(one.key)
            yield one


def _draw(example: Example, seed: int, dataset: str) -> Drawn:
    # Dates and the like, which templates show as text, are text.
    text = json.dumps(example, sort_keys=True, default=str)
    digest = blake2b(f"{seed}\n{dataset}\n{text}".encode(), digest_size=8).digest()
    return Drawn(int.from_bytes(digest), text)
