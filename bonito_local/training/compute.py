"""The number format that a run computes in: bfloat16 on a GPU, the faster one on a CPU."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.nn import functional as F

from bonito_local.convert.architectures import Architecture
from bonito_local.training.processes import Processes

Format = Literal["bfloat16", "float32"]

_ROWS = 1024  # tokens of a measured product
_MOST = 4e9  # operations of a measured product, so that one takes a fraction of a second
_SECONDS = 1.0  # for both formats together


@dataclass(frozen=True, slots=True)
class Compute:
    """A format, and the GFLOP/s of both as measured; 0 where nothing was measured."""

    format: Format = "bfloat16"
    bfloat16: float = 0.0
    float32: float = 0.0

    @classmethod
    def of(cls, recorded: Mapping[str, Any] | None) -> Compute:
        """Return what a record says; bfloat16 for records from before there was a choice."""
        return cls(**recorded) if recorded else cls()

    @property
    def dtype(self) -> torch.dtype:
        """The format as PyTorch names it."""
        return torch.bfloat16 if self.format == "bfloat16" else torch.float32

    @property
    def bytes(self) -> int:
        """Bytes of a value."""
        return 2 if self.format == "bfloat16" else 4

    def __str__(self) -> str:
        if not self.bfloat16 or not self.float32:
            return self.format
        other = "float32" if self.format == "bfloat16" else "bfloat16"
        speed, slower = getattr(self, self.format), getattr(self, other)
        return f"{self.format}: {speed:,.0f} against {slower:,.0f} GFLOP/s in {other}"


def choose_compute(shape: Architecture, processes: Processes) -> Compute:
    """Choose the format of a new run, the same in all its processes.

    A GPU computes in bfloat16. On a CPU, the first process measures both for about a second.
    """
    if processes.device != "cpu":
        return Compute()
    speeds = torch.tensor(measure(shape) if processes.first else (0.0, 0.0))
    processes.sum([speeds])
    bfloat16, float32 = (round(speed, 1) for speed in speeds.tolist())
    return Compute("bfloat16" if bfloat16 >= float32 else "float32", bfloat16, float32)


def measure(shape: Architecture) -> tuple[float, float]:
    """Return the GFLOP/s of this CPU in bfloat16 and float32, by products of the model's shape.

    The products are those of an MLP layer, forward and backward, with all threads of PyTorch.
    The formats take turns, and the best of each counts, so that other load disturbs little.
    """
    columns = int(min(shape.ffn, max(64, _MOST / (2 * _ROWS * shape.width))))
    operations = 2 * 2 * _ROWS * shape.width * columns
    states, weight = torch.randn(_ROWS, shape.width), torch.randn(columns, shape.width)
    operands = [(states.to(dtype), weight.to(dtype)) for dtype in (torch.bfloat16, torch.float32)]
    best = [float("inf")] * len(operands)
    with torch.no_grad():
        for warm in operands:
            _product(*warm)
        begun = time.perf_counter()
        while time.perf_counter() - begun < _SECONDS:
            for at, operand in enumerate(operands):
                best[at] = min(best[at], _product(*operand))
    bfloat16, float32 = (operations / seconds / 1e9 for seconds in best)
    return bfloat16, float32


def _product(states: torch.Tensor, weight: torch.Tensor) -> float:
    """Return the seconds of a product forward and of one backward."""
    begun = time.perf_counter()
    F.linear(states, weight) @ weight
    return time.perf_counter() - begun
