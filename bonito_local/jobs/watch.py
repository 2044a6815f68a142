"""Tells other processes how far a job is, and hears from them what the user wants of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, Self

from bonito_local.errors import JobError
from bonito_local.jobs.journal import ENDINGS, Ended, Journal, Wish
from bonito_local.jobs.progress import Progress, Stop

GRACE_SECONDS = 30.0
_SECONDS = 0.5


class Watch:
    """While entered, a thread looks twice a second; `wish` is set once there is one.

    `interrupt` is called then, so that a long computation need not end first. `asked` is
    whether the user wants this process to end for another reason. An engine that has not let
    go half a minute later never will: the run is noted as ended, `abandon` is told, and the
    process ends. Nothing that had finished is lost by it.
    """

    def __init__(
        self,
        journal: Journal,
        interrupt: Callable[[], None],
        asked: Stop = lambda: False,
        abandon: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.wish: Wish | None = None
        self._journal = journal
        self._interrupt = interrupt
        self._asked = asked
        self._abandon = abandon
        self._latest: Progress | None = None
        self._patience: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def notify(self, progress: Progress) -> None:
        """Remember where the run stands; it is written within half a second."""
        self._latest = progress

    def stop(self) -> bool:
        """Whether the user wants the run to end."""
        return self.wish is not None

    @property
    def ending(self) -> Ended:
        """How a run that the user ended early has ended."""
        return ENDINGS[self.wish] if self.wish else "stopped"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
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
            self._lose_patience(latest)

    def _lose_patience(self, latest: Progress | None) -> None:
        """End the process if it was to stop long ago and its engine still has it."""
        if self._patience is None:
            if self.wish is not None or self._asked():
                self._patience = time.monotonic() + GRACE_SECONDS
            return
        # Writing the dataset takes as long as it takes, and needs no engine.
        writing = latest is not None and latest.phase == "writing"
        if writing or time.monotonic() < self._patience:
            return
        told = (
            f"The engine did not stop within {GRACE_SECONDS:.0f} s: its process was ended. "
            "What had finished is kept."
        )
        self._look(partial(self._note, told))
        self._abandon(told)
        os._exit(1)

    def _note(self, told: str) -> None:
        if (run := self._journal.last_run()) is not None:
            remedy = "`bonito-local export` writes the dataset of what there is."
            self._journal.end_run(run.id, self.ending, told, remedy)

    def _look(self, what: Callable[[], Any]) -> Any:
        """Do it, or pass over it: a store that fails ends the run where rows are recorded."""
        try:
            return what()
        except JobError:
            return None
