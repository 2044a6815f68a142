"""Causal attention for training, registered with transformers under the name "in_rows".

It computes groups that lie side by side in one sequence, each by itself, and batches of rows that
are padded on the right, where causality alone keeps padding out of sight. In a group of several
outputs, each output attends to the prompt and to itself.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers import AttentionInterface

NAME = "in_rows"
_MATMUL_UP_TO = 1024  # tokens: beyond, what products leave in memory costs more than they save

Runs = tuple[tuple[int, int], ...]


class Masks:
    """What tokens of a pass may attend to, where groups have several outputs.

    A run's mask is made once and then serves all layers.
    """

    def __init__(self, runs: Runs, segments: torch.Tensor, places: torch.Tensor) -> None:
        """Take `Pack.runs`, `Pack.segments` ([N]) and `Pack.places` ([1, N])."""
        sizes = [count * length for count, length in runs]
        self._runs = [
            tuple(part.view(count, length) for part in parts)
            for (count, length), *parts in zip(
                runs, segments.split(sizes), places[0].split(sizes), strict=True
            )
        ]
        self._visible: dict[tuple[int, int | None], torch.Tensor] = {}
        self._additive: dict[tuple[int, int | None, torch.dtype], torch.Tensor] = {}

    def visible(self, run: int, window: int | None) -> torch.Tensor:
        """Return whether a query (rows) may see a key (columns), [count, 1, L, L] of bool.

        `window` is the number of places that a query sees back to, itself included.
        """
        key = run, window
        if key not in self._visible:
            segments, places = self._runs[run]
            owner = segments[:, None, :]
            mask = (owner == 0) | (owner == segments[:, :, None])
            mask = mask.tril()
            if window is not None:
                mask &= places[:, :, None] - places[:, None, :] < window
            self._visible[key] = mask[:, None]
        return self._visible[key]

    def additive(self, run: int, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        """Return 0 where `visible` is true and minus infinity elsewhere."""
        key = run, window, dtype
        if key not in self._additive:
            visible = self.visible(run, window)
            mask = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
            self._additive[key] = mask.masked_fill_(~visible, float("-inf"))
        return self._additive[key]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    runs: Runs | None = None,
    masks: Masks | None = None,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attend within groups; `attention_mask` is not read.

    Shapes are (B, heads, T, head_dim); returns (B, T, heads, head_dim). With `runs`, B is 1 and
    T is the sum of count x length, for each run of `count` groups of one length. `masks` says
    what lies in them, unless every group is one row.
    """
    if runs is None:
        return _rows(query, key, value, scaling, sliding_window).transpose(1, 2).contiguous(), None
    parts, start = [], 0
    for run, (count, length) in enumerate(runs):
        end = start + count * length
        q, k, v = (
            part[0, :, start:end].unflatten(1, (count, length)).transpose(0, 1)
            for part in (query, key, value)
        )
        if masks is None:
            states = _rows(q, k, v, scaling, sliding_window)
        else:
            states = _groups(q, k, v, scaling, sliding_window, masks, run)
        parts.append(states.transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(parts)[None], None


def _rows(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    window: int | None,
) -> torch.Tensor:
    """Attention of rows of one length, (B, heads, T, head_dim)."""
    length = query.shape[2]
    windowed = window is not None and length > window
    if query.device.type == "cpu" and length <= _MATMUL_UP_TO and not windowed:
        mask = torch.full((length, length), float("-inf"), dtype=query.dtype).triu(1)
        return _products(query, key, value, scaling, mask)
    seen = None
    if windowed:
        seen = torch.ones(length, length, dtype=torch.bool, device=query.device)
        seen = seen.tril().triu(1 - (window or 0))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=seen, is_causal=seen is None, scale=scaling, enable_gqa=True
    )


def _groups(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    window: int | None,
    masks: Masks,
    run: int,
) -> torch.Tensor:
    """Attention of one run of groups, (count, heads, L, head_dim)."""
    length = query.shape[2]
    window = window if window is not None and length > window else None
    if query.device.type == "cpu" and length <= _MATMUL_UP_TO:
        mask = masks.additive(run, window, query.dtype)
        return _products(query, key, value, scaling, mask)
    # Repeated heads: the kernel that takes a mask and keeps no scores knows no grouped ones.
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    seen = masks.visible(run, window)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=seen, scale=scaling)


def _products(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Attention as two batched products: 2 x the speed of SDPA in bf16 on a CPU."""
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    scores = (query * scaling) @ key.transpose(-1, -2) + mask
    return torch.softmax(scores, -1) @ value


AttentionInterface.register(NAME, attend)
