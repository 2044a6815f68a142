"""Cross-entropy at chosen positions, without ever holding all their logits."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

_AT_ONCE = 1024  # positions
_AT_ONCE_CPU = 256  # a third faster there: caches hold more of their logits


class _OutputLoss(torch.autograd.Function):
    """The head is frozen, so the gradient of the states is known as soon as the loss is."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        weight: torch.Tensor,
        labels: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        gradient = torch.empty_like(states)
        total = torch.zeros((), device=states.device)
        size = _AT_ONCE_CPU if states.device.type == "cpu" else _AT_ONCE
        for start in range(0, len(labels), size):
            some = slice(start, start + size)
            # In place: on a CPU, passes over all logits take about half as long as the products.
            logits = F.linear(states[some], weight).float()
            counted = labels[some, None] >= 0
            at = labels[some, None].clamp(min=0)
            of_labels = logits.gather(1, at)
            largest = logits.amax(-1, keepdim=True)
            norm = logits.sub_(largest).exp_().sum(-1, keepdim=True)
            total += ((norm.log() + largest - of_labels) * counted).sum()
            share = counted * scale
            logits.mul_(share / norm)  # probabilities, scaled
            logits.scatter_add_(1, at, -share)
            gradient[some] = logits.to(weight.dtype) @ weight
        ctx.save_for_backward(gradient)
        return total * scale

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None, None


def output_loss(
    states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return `scale` times the summed cross-entropy of the labels, those below 0 left out.

    Args:
        states: [K, width]; the only one that gets a gradient.
        weight: [vocabulary, width], the frozen output head.
        labels: [K].
        scale: a share of the step's tokens, say: 1 / their number gives their mean.
    """
    found: torch.Tensor = _OutputLoss.apply(  # type: ignore[no-untyped-call]
        states, weight, labels, scale
    )
    return found
