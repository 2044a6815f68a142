"""Which rows a step takes, and how they are spread over devices and passes.

All of it follows from the rows' lengths, the seed and the step's number: every process knows it
without asking, and a run that goes on needs to know nothing but its step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SORTED_TOGETHER = 50  # batches, as in transformers' grouping by length
_MULTIPLE = 16  # lengths are padded to, so that kernels meet few shapes

Lengths = Sequence[int] | npt.NDArray[np.int64]


def padded(length: int) -> int:
    """What a row takes of a pass."""
    return -(-length // _MULTIPLE) * _MULTIPLE


class Order:
    """Epochs of batches grouped by length, each epoch in its own order."""

    def __init__(self, lengths: Lengths, batch: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch = batch
        self._seed = seed
        self._epoch = -1
        self._batches: list[npt.NDArray[np.int64]] = []

    @property
    def steps(self) -> int:
        """Steps of an epoch; the rows of one of them may be fewer."""
        return -(-len(self._lengths) // self._batch)

    def rows(self, step: int) -> list[int]:
        """The rows of a step, counted from 0 over all epochs."""
        epoch, at = divmod(step, self.steps)
        if epoch != self._epoch:
            self._batches, self._epoch = self._shuffled(epoch), epoch
        return [int(row) for row in self._batches[at]]

    def _shuffled(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self._lengths))
        found = []
        for some in _chunks(order, _SORTED_TOGETHER * self._batch):
            by_length = some[np.argsort(-self._lengths[some], kind="stable")]
            found += _chunks(by_length, self._batch)
        return [found[at] for at in random.permutation(len(found))]


def share(rows: Sequence[int], lengths: Lengths, count: int, which: int) -> list[int]:
    """The rows of a step that one of `count` devices takes, so that all have about as much."""
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        least = loads.index(min(loads))
        shares[least].append(row)
        loads[least] += padded(int(lengths[row]))
    return shares[which]


def passes(rows: Sequence[int], lengths: Lengths, most: int) -> list[list[int]]:
    """Cut a device's rows into passes of at most `most` tokens, the longest rows first.

    A row that is longer goes alone.
    """
    found: list[list[int]] = []
    room = 0
    for row in sorted(rows, key=lambda row: (-lengths[row], row)):
        size = padded(int(lengths[row]))
        if not found or size > room:
            found.append([])
            room = most
        found[-1].append(row)
        room -= size
    return found


def _chunks(values: npt.NDArray[np.int64], size: int) -> list[npt.NDArray[np.int64]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
