"""Ctrl-C and SIGTERM as a request to stop, not as a crash."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import Self

_OURS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While entered, a signal sets `received`; it interrupts only where `interrupts` is true.

    Code that must not be cut in two (a reader or a model's loader calling back into Python)
    asks `stop()`; a second signal interrupts anything. `stop()` knows of a signal, in any thread,
    while the main one is in native code and no Python handler can run.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.interrupts = False
        self._before: dict[int, object] = {}
        self._noticed = False
        self._pipe: tuple[int, int] | None = None
        self._pipe_before = -1

    @property
    def exit_status(self) -> int:
        """Of a command that was stopped, as shells have it."""
        return 128 + (self.received or signal.SIGINT)

    def stop(self) -> bool:
        """Whether the user has asked to stop."""
        return self.received is not None or self._notice()

    def _notice(self) -> bool:
        """Whether the system has told of a signal of ours, which it does at once."""
        if self._pipe is not None and not self._noticed:
            with suppress(BlockingIOError):
                told = os.read(self._pipe[0], 64)
                self._noticed = any(number in _OURS for number in told)
        return self._noticed

    def __enter__(self) -> Self:
        if sys.platform != "win32":  # where such a pipe would block
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
            self._pipe_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in _OURS:
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pipe is not None:
            signal.set_wakeup_fd(self._pipe_before)
            for end in self._pipe:
                os.close(end)
            self._pipe = None
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        again, self.received = self.received is not None, number
        if self.interrupts or again:
            raise KeyboardInterrupt
