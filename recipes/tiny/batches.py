"""Batches of few fixed shapes, so that memory and kernels are reused; targets as flat positions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from tokenizer import BOS_ID, EOS_ID

BUCKETS = (128, 192, 256, 384)  # tokens per sequence


@dataclass(frozen=True, slots=True)
class Sequence:
    """Token ids, and which of them (by position) the loss looks at."""

    ids: list[int]
    targets: list[int]


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` is (B, T); `positions` index the flattened (B*T) states that predict `labels`."""

    ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor


def collate(sequences: list[Sequence], length: int) -> Batch:
    """Pad with EOS on the right: causal attention never sees what follows."""
    ids = torch.full((len(sequences), length), EOS_ID)
    positions, labels = [], []
    for i, sequence in enumerate(sequences):
        ids[i, : len(sequence.ids)] = torch.tensor(sequence.ids)
        positions += [i * length + t - 1 for t in sequence.targets]
        labels += [sequence.ids[t] for t in sequence.targets]
    return Batch(ids, torch.tensor(positions), torch.tensor(labels))


def bucketed(sequences: Iterator[Sequence], tokens: int) -> Iterator[Batch]:
    """Group sequences by length into batches of about `tokens` tokens; longer ones are left out."""
    waiting: dict[int, list[Sequence]] = {length: [] for length in BUCKETS}
    for sequence in sequences:
        length = next((b for b in BUCKETS if len(sequence.ids) <= b), None)
        if length is None:
            continue
        held = waiting[length]
        held.append(sequence)
        if len(held) == tokens // length:
            yield collate(held, length)
            held.clear()


def example(prompt: list[int], completion: list[int], rng: random.Random, share: float) -> Sequence:
    """BOS + prompt + completion + EOS; the loss sees the completion and a share of the prompt."""
    ids = [BOS_ID, *prompt, *completion, EOS_ID]
    start = len(prompt) + 1
    targets = [t for t in range(1, start) if share and rng.random() < share]
    return Sequence(ids, targets + list(range(start, len(ids))))
