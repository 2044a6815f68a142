"""The log of a run, its plot, and when to give up on it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from bonito_local.errors import TrainingError
from bonito_local.exports.plots import curve, standalone
from bonito_local.exports.staging import write_private

LOG, PLOT = "log.jsonl", "loss.svg"
EVERY = 10  # steps a line of the log
_KEEP = 0.98  # of the smoothed loss, each step
_SETTLED = 20  # steps before which nothing is called divergence


class Watch:
    """Follows the loss: smooths it, remembers its best, and tells when it has run away."""

    def __init__(self, state: dict[str, float] | None = None) -> None:
        state = state or {}
        self._seen = int(state.get("seen", 0))
        self._smooth = state.get("smooth", 0.0)
        self._best = state.get("best", math.inf)
        self._sum = state.get("sum", 0.0)
        self._count = int(state.get("count", 0))
        self.tokens = int(state.get("tokens", 0))

    @property
    def state(self) -> dict[str, float]:
        """All that it knows, to go on from."""
        return {
            "seen": self._seen,
            "smooth": self._smooth,
            "best": self._best,
            "sum": self._sum,
            "count": self._count,
            "tokens": self.tokens,
        }

    @property
    def loss(self) -> float:
        """Mean over about the last 50 steps."""
        return self._smooth / (1 - _KEEP**self._seen) if self._seen else math.nan

    def add(self, step: int, loss: float, tokens: int) -> None:
        """Take in a step's loss.

        Raises:
            TrainingError: it is no number, or has risen by more than 1 and to twice its best.
        """
        if not math.isfinite(loss):
            raise _diverged(f"The loss at step {step} is {loss}.")
        self._seen += 1
        self._smooth = _KEEP * self._smooth + (1 - _KEEP) * loss
        self._sum, self._count, self.tokens = (
            self._sum + loss,
            self._count + 1,
            self.tokens + tokens,
        )
        self._best = min(self._best, self.loss)
        if self._seen > _SETTLED and self.loss > self._best + max(1.0, self._best):
            raise _diverged(
                f"The loss diverged: {self._best:.2f} at its best, {self.loss:.2f} at step {step}."
            )

    def mean(self) -> float:
        """Mean since the last call."""
        found = self._sum / max(self._count, 1)
        self._sum, self._count = 0.0, 0
        return found


class Log:
    """OUTPUT/log.jsonl: a line every few steps."""

    def __init__(self, folder: Path, after: int) -> None:
        """Open the log; lines of steps `after` which the run goes on are dropped."""
        self._folder = folder
        kept = [line for line in read_log(folder) if line["step"] <= after]
        write_private(folder / LOG, "".join(json.dumps(line) + "\n" for line in kept))

    def write(self, line: dict[str, Any]) -> None:
        """Append a line."""
        with os.fdopen(os.open(self._folder / LOG, os.O_WRONLY | os.O_APPEND), "a") as file:
            file.write(json.dumps(line) + "\n")

    def plot(self) -> None:
        """Draw the loss so far."""
        points = [(line["step"], line["loss"]) for line in read_log(self._folder)]
        write_private(self._folder / PLOT, standalone(curve(points, "Loss by step")))


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's log that are whole."""
    try:
        lines = (folder / LOG).read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # The last one, of a run that was killed.
    return found


def _diverged(title: str) -> TrainingError:
    return TrainingError(
        title,
        "Lower learning_rate and name another output; the last checkpoint is kept as it was.",
    )
