"""Rows side by side in one long sequence: nothing is computed for padding between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch

from bonito_local.training.order import padded

_FILL = 64  # `positions` are filled up to a multiple, so that kernels meet few shapes


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows of one pass, N tokens in all.

    Attributes:
        ids: tokens, [1, N].
        places: each token's place in its own row, [1, N].
        runs: how many rows of which padded length follow one another; attention stays in a row.
        positions: of the states that predict a token that is trained on, [K].
        labels: those tokens, [K]; -100 fills up and counts for nothing.
        tokens: of the rows themselves.
    """

    ids: torch.Tensor
    places: torch.Tensor
    runs: tuple[tuple[int, int], ...]
    positions: torch.Tensor
    labels: torch.Tensor
    tokens: int


def pack(rows: Sequence[npt.NDArray[np.uint32]], outputs: Sequence[int], device: str) -> Pack:
    """Lay rows, the longest first, side by side; `outputs` are as in `Tokens`.

    A row is padded on its right, where causal attention never looks, by 15 tokens at most.
    """
    lengths = [padded(len(row)) for row in rows]
    ids = np.zeros(sum(lengths), np.int64)
    positions, labels = [], []
    start = 0
    for row, length, trained in zip(rows, lengths, outputs, strict=True):
        ids[start : start + len(row)] = row
        last = start + len(row) - 1
        positions.append(np.arange(last - trained, last))
        labels.append(row[len(row) - trained :].astype(np.int64))
        start += length
    fill = -sum(outputs) % _FILL
    every = np.concatenate([*positions, np.zeros(fill, np.int64)])
    wanted = np.concatenate([*labels, np.full(fill, -100)])
    places = np.concatenate([np.arange(length) for length in lengths])
    return Pack(
        ids=torch.from_numpy(ids)[None].to(device),
        places=torch.from_numpy(places)[None].to(device),
        runs=tuple((len(list(run)), length) for length, run in groupby(lengths)),
        positions=torch.from_numpy(every).to(device),
        labels=torch.from_numpy(wanted).to(device),
        tokens=sum(map(len, rows)),
    )
