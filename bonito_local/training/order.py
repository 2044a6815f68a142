"""Which groups of rows a step takes, and how they are spread over devices and passes.

All of it follows from the groups' lengths and rows, the seed and the step's number: every process
knows it without asking, and a run that goes on needs to know nothing but its step.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SORTED_TOGETHER = 50  # batches, as in transformers' grouping by length
_MULTIPLE = 16  # lengths are padded to, so that kernels meet few shapes

Lengths = Sequence[int] | npt.NDArray[np.int64]


def padded(length: int) -> int:
    """Return what a group of `length` tokens takes of a pass."""
    return -(-length // _MULTIPLE) * _MULTIPLE


class Order:
    """Epochs of batches grouped by length, each epoch in its own order.

    A batch takes groups until it holds at least `batch` rows; an epoch's last may hold fewer.
    """

    def __init__(
        self, lengths: Lengths, batch: int, seed: int, rows: Lengths | None = None
    ) -> None:
        """Take the tokens and the rows of each group; one row each, where `rows` is None."""
        self._lengths = np.asarray(lengths)
        self._rows = np.ones_like(self._lengths) if rows is None else np.asarray(rows)
        self._alike = bool(np.all(self._rows == self._rows[:1]))
        self._batch = batch
        self._seed = seed
        self._epoch = self._first = 0
        self._batches = self.batches(0)

    def groups(self, step: int) -> list[int]:
        """Return the groups of a step, counted from 0 over all epochs."""
        if step < self._first:
            self._epoch = self._first = 0
            self._batches = self.batches(0)
        while step >= self._first + len(self._batches):
            # Epochs of ragged groups differ in their number of batches: none can be skipped.
            epochs = (step - self._first) // len(self._batches) if self._alike else 1
            self._first += epochs * len(self._batches)
            self._epoch += epochs
            self._batches = self.batches(self._epoch)
        return [int(group) for group in self._batches[step - self._first]]

    def batches(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        """Return the batches of an epoch, in order: each group once."""
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self._lengths))
        by_length = [
            some[np.argsort(-self._lengths[some], kind="stable")]
            for some in self._cut(order, _SORTED_TOGETHER * self._batch)
        ]
        batches = self._cut(np.concatenate(by_length), self._batch)
        return [batches[at] for at in random.permutation(len(batches))]

    def _cut(self, groups: npt.NDArray[np.int64], least: int) -> list[npt.NDArray[np.int64]]:
        """Cut into parts of as few groups as hold `least` rows; the last may hold fewer."""
        ends = np.cumsum(self._rows[groups])
        parts, at, rows = [], 0, 0
        while at < len(groups):
            stop = int(np.searchsorted(ends, rows + least)) + 1
            parts.append(groups[at:stop])
            at, rows = stop, int(ends[min(stop, len(groups)) - 1])
        return parts


def share(groups: Sequence[int], lengths: Lengths, count: int, which: int) -> list[int]:
    """Return the groups that one of `count` devices takes, so that all have about as much."""
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for group in sorted(groups, key=lambda group: (-lengths[group], group)):
        least = loads.index(min(loads))
        shares[least].append(group)
        loads[least] += padded(int(lengths[group]))
    return shares[which]


def passes(groups: Sequence[int], lengths: Lengths, most: int) -> list[list[int]]:
    """Cut a device's groups into passes of at most `most` tokens, the longest first.

    A group that is longer goes alone.
    """
    cut: list[list[int]] = []
    room = 0
    for group in sorted(groups, key=lambda group: (-lengths[group], group)):
        size = padded(int(lengths[group]))
        if not cut or size > room:
            cut.append([])
            room = most
        cut[-1].append(group)
        room -= size
    return cut
