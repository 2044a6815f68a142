"""Ctrl-C and SIGTERM as a request to stop, not as a crash."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self


class StopSignals:
    """While entered, a signal sets `received`; it interrupts only where `interrupts` is true.

    Code that must not be cut in two (a reader or a model's loader calling back into Python)
    asks `stop()`; a second signal interrupts anything.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.interrupts = False
        self._before: dict[int, object] = {}

    def stop(self) -> bool:
        """Whether the user has asked to stop."""
        return self.received is not None

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        again, self.received = self.received is not None, number
        if self.interrupts or again:
            raise KeyboardInterrupt
