"""Where a run stands, as the worker tells it and every front end shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["waiting", "measuring this machine", "reading", "generating", "scoring", "writing"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    `done` of `planned` samples have an outcome, `earlier` of them from runs before;
    tokens and seconds are this run's.
    """

    phase: Phase
    passages: int = 0
    problems: int = 0
    planned: int = 0
    earlier: int = 0
    done: int = 0
    accepted: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Time left at this run's pace, None before its first outcome."""
        new = self.done - self.earlier
        return self.seconds / new * (self.planned - self.done) if new > 0 else None

    @property
    def tokens_per_second(self) -> tuple[float, float]:
        """Tokens read and tokens written a second, so far in this run."""
        seconds = self.seconds or 1.0
        return self.prompt_tokens / seconds, self.completion_tokens / seconds


Notify = Callable[[Progress], None]
Stop = Callable[[], bool]
