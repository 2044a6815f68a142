"""Where a run stands, in one file that is renamed into place once it is whole."""

from __future__ import annotations

import os
import pickle
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.optim.adamw import PagedAdamW32bit

from bonito_local.errors import TrainingError

NAME = "checkpoint.pt"


@dataclass(slots=True)
class State:
    """What a run has learnt: float32 values of the adapter, their optimizer, and its log's rest.

    `watch` is what `Watch.state` gives.
    """

    masters: dict[str, torch.Tensor]
    optimizer: Any
    step: int
    watch: dict[str, float]


def paged_adamw(parameters: list[torch.Tensor], learning_rate: float) -> Any:
    """Return the paper's optimizer, its states in 32 bit and paged."""
    return PagedAdamW32bit(parameters, lr=learning_rate, betas=(0.9, 0.999), weight_decay=0.0)


def save(state: State, folder: Path) -> None:
    """Write the checkpoint in place of the one before.

    Raises:
        TrainingError: the disk is full, or not to be written to; the one before is kept.
    """
    fresh = folder / f"{NAME}.part"
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            torch.save(
                {
                    "masters": state.masters,
                    "optimizer": state.optimizer.state_dict(),
                    "step": state.step,
                    "watch": state.watch,
                },
                file,
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / NAME)
    except (OSError, RuntimeError) as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise TrainingError(
            f"The checkpoint cannot be written to {folder}: {error}.",
            "Free some space; the same command goes on from the checkpoint before.",
        ) from error


def resume(state: State, folder: Path) -> bool:
    """Fill `state` from the checkpoint in `folder`; False where there is none.

    Raises:
        TrainingError: it is broken, or of an adapter of another shape.
    """
    path = folder / NAME
    if not path.exists():
        return False
    try:
        # weights_only: a checkpoint holds tensors and numbers, and may run no code.
        found = torch.load(path, map_location="cpu", weights_only=True)
        if found["masters"].keys() != state.masters.keys():
            raise ValueError("it holds another adapter")
        for name, tensor in state.masters.items():
            tensor.copy_(found["masters"][name])
        state.optimizer.load_state_dict(found["optimizer"])
        state.step, state.watch = int(found["step"]), dict(found["watch"])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, pickle.PickleError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainingError(
            f"The checkpoint {path} cannot be used: {said[0][:160]}.",
            "Remove it to begin again, or name another output.",
        ) from error
    return True
