"""Batches of few fixed shapes, grouped by length; the loss looks at chosen positions only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

FILL = 512


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids, and the positions (from 1 on) that the loss looks at."""

    ids: list[int]
    targets: Sequence[int]


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` is (B, T); `positions` index the flattened (B*T) states that predict `labels`.

    Labels of -100 fill `positions` up to a multiple of 512 and count for nothing: kernels
    and memory are kept per shape, and a new shape a batch would grow without bound.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor


def collate(examples: Sequence[Example], length: int, pad: int) -> Batch:
    """Pad on the right: causal attention never sees what follows."""
    ids = torch.full((len(examples), length), pad)
    positions: list[int] = []
    labels: list[int] = []
    for i, example in enumerate(examples):
        ids[i, : len(example.ids)] = torch.tensor(example.ids)
        positions += [i * length + t - 1 for t in example.targets]
        labels += [example.ids[t] for t in example.targets]
    fill = -len(positions) % FILL
    return Batch(ids, torch.tensor(positions + [0] * fill), torch.tensor(labels + [-100] * fill))


def bucketed(
    examples: Iterable[Example], buckets: Sequence[int], tokens: int, pad: int
) -> Iterator[Batch]:
    """Yield batches of about `tokens` tokens whose sequences share a bucket's length.

    `buckets` are lengths in rising order; longer examples are left out. What does not
    fill a batch at the end is not yielded.
    """
    waiting: dict[int, list[Example]] = {length: [] for length in buckets}
    for example in examples:
        length = next((b for b in buckets if len(example.ids) <= b), None)
        if length is None:
            continue
        held = waiting[length]
        held.append(example)
        if len(held) >= max(1, tokens // length):
            yield collate(held, length, pad)
            held.clear()
