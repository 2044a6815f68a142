"""Causal attention for training, registered with transformers under the name "in_rows".

It computes rows that lie side by side in one sequence, each by itself, and batches of rows that
are padded on the right, where causality alone keeps padding out of sight.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers import AttentionInterface

NAME = "in_rows"
_MATMUL_UP_TO = 1024  # tokens: beyond, what products leave in memory costs more than they save

Runs = tuple[tuple[int, int], ...]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    runs: Runs | None = None,
    sliding_window: int | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attend within rows; `attention_mask` is not read.

    Shapes are (B, heads, T, head_dim); returns (B, T, heads, head_dim). With `runs`, B is 1 and
    T is the sum of count x length, for each run of `count` rows of one length.
    """
    if runs is None:
        return _rows(query, key, value, scaling, sliding_window).transpose(1, 2).contiguous(), None
    found, start = [], 0
    for count, length in runs:
        end = start + count * length
        q, k, v = (
            part[0, :, start:end].unflatten(1, (count, length)).transpose(0, 1)
            for part in (query, key, value)
        )
        found.append(_rows(q, k, v, scaling, sliding_window).transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(found)[None], None


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
        # Two batched products: 2 x the speed of SDPA in bf16 on a CPU.
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        mask = torch.full((length, length), float("-inf"), dtype=query.dtype).triu(1)
        scores = (query * scaling) @ key.transpose(-1, -2) + mask
        return torch.softmax(scores, -1) @ value
    seen = None
    if windowed:
        seen = torch.ones(length, length, dtype=torch.bool, device=query.device)
        seen = seen.tril().triu(1 - (window or 0))
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=seen, is_causal=seen is None, scale=scaling, enable_gqa=True
    )


AttentionInterface.register(NAME, attend)
