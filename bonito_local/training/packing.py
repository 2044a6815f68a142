"""Groups side by side in one long sequence: nothing is computed for padding between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch

from bonito_local.training.order import padded
from bonito_local.training.tokens import Group

_FILL = 64  # `positions` are filled up to a multiple, so that kernels meet few shapes


@dataclass(frozen=True, slots=True)
class Pack:
    """Groups of one pass, N tokens in all.

    Attributes:
        ids: tokens, [1, N].
        places: each token's place in its own row, [1, N]; all outputs go on from the prompt's end.
        segments: of each token in its group, [N]: 0 for the prompt, 1 and up for outputs; None
            where every group has one output.
        runs: how many groups of which padded length follow one another; attention stays in a
            group.
        positions: of the states that predict a token that is trained on, [K].
        labels: those tokens, [K]; -100 fills up and counts for nothing.
        tokens: of the groups themselves.
    """

    ids: torch.Tensor
    places: torch.Tensor
    segments: torch.Tensor | None
    runs: tuple[tuple[int, int], ...]
    positions: torch.Tensor
    labels: torch.Tensor
    tokens: int


def pack(groups: Sequence[Group], device: str) -> Pack:
    """Lay groups, the longest first, side by side.

    A group is padded on its right, where causal attention never looks, by 15 tokens at most.
    """
    lengths = [padded(len(group.ids)) for group in groups]
    ids, places, segments = (np.zeros(sum(lengths), np.int64) for _ in range(3))
    positions, labels = [], []
    start = 0
    for group, length in zip(groups, lengths, strict=True):
        end = start + length
        ids[start : start + len(group.ids)] = group.ids
        places[start:end] = np.arange(length)
        at = group.prompt
        for number, output in enumerate(group.outputs, 1):
            # The last output's places and segment go on over the padding.
            places[start + at : end] = np.arange(group.prompt, group.prompt + length - at)
            segments[start + at : end] = number
            before = np.arange(start + at - 1, start + at + output - 1)
            before[0] = start + group.prompt - 1
            predicted = slice(0 if group.prompt else 1, None)  # nothing precedes a first token
            positions.append(before[predicted])
            labels.append(group.ids[at : at + output][predicted].astype(np.int64))
            at += output
        start = end
    fill = -sum(map(len, positions)) % _FILL
    shared = any(len(group.outputs) > 1 for group in groups)

    def tensor(values: npt.NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(device)

    return Pack(
        ids=tensor(ids)[None],
        places=tensor(places)[None],
        segments=tensor(segments) if shared else None,
        runs=tuple((len(list(run)), length) for length, run in groupby(lengths)),
        positions=tensor(np.concatenate([*positions, np.zeros(fill, np.int64)])),
        labels=tensor(np.concatenate([*labels, np.full(fill, -100)])),
        tokens=sum(len(group.ids) for group in groups),
    )
