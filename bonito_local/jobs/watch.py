"""Tells other processes how far a job is, and hears from them what the user wants of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Any, Self

from bonito_local.errors import JobError
from bonito_local.jobs.journal import Journal, Wish
from bonito_local.jobs.progress import Progress

_SECONDS = 0.5


class Watch:
    """While entered, a thread looks twice a second; `wish` is set once there is one.

    `interrupt` is called then, so that a long computation need not end first.
    """

    def __init__(self, journal: Journal, interrupt: Callable[[], None]) -> None:
        self.wish: Wish | None = None
        self._journal = journal
        self._interrupt = interrupt
        self._latest: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def notify(self, progress: Progress) -> None:
        """Remember where the run stands; it is written within half a second."""
        self._latest = progress

    def stop(self) -> bool:
        """Whether the user wants the run to end."""
        return self.wish is not None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        written: Progress | None = None
        self._look(self._journal.hurry)
        while not self._ended.wait(_SECONDS):
            latest = self._latest
            if latest is not None and latest is not written:
                told = asdict(latest) | {"at": time.time()}
                self._look(partial(self._journal.save, "progress", told))
                written = latest
            if self.wish is None:
                self.wish = self._look(self._journal.wish)
                if self.wish is not None:
                    self._interrupt()

    def _look(self, what: Callable[[], Any]) -> Any:
        """Do it, or pass over it: a store that fails ends the run where rows are recorded."""
        try:
            return what()
        except JobError:
            return None
