"""Cross-entropy at chosen positions, without ever holding all their logits."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

_AT_ONCE = 1024  # positions


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
        for start in range(0, len(labels), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            logits = F.linear(states[some], weight).float()
            wanted = labels[some]
            counted = wanted >= 0
            at = wanted.clamp(min=0)[:, None]
            norm = logits.logsumexp(-1, keepdim=True)
            total += ((norm - logits.gather(1, at))[:, 0] * counted).sum()
            logits.sub_(norm).exp_()  # probabilities
            logits.scatter_add_(1, at, torch.full_like(norm, -1.0))
            logits.mul_((counted * scale)[:, None])
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
