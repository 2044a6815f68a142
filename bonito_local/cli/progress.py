"""Shows a run's progress: a bar on a terminal, plain lines elsewhere. All on stderr."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol, Self

from bonito_local.cli.talk import quiet, say_line
from bonito_local.jobs.progress import Progress
from bonito_local.printable import one_line

_LINE_SECONDS = 5.0


class Reporter(AbstractContextManager["Reporter"], Protocol):
    """What shows progress while entered."""

    def show(self, progress: Progress) -> None:
        """Show where the run stands."""


def reporter() -> Reporter:
    """Return the reporter that suits stderr, and what the user wants to hear."""
    if quiet():
        return SilentReporter()
    return BarReporter() if sys.stderr.isatty() else LineReporter()


def describe(progress: Progress) -> str:
    """Return rows, speed and time left in a few words."""
    if progress.note:
        return progress.note
    if progress.phase == "writing":
        return "the dataset"
    if progress.phase == "reading":
        return f"{progress.passages} passages"
    words = [f"{progress.accepted} rows"]
    if progress.seconds:
        prefill, written = progress.tokens_per_second
        words.append(f"{prefill:.0f}+{written:.0f} tokens/s read+written")
    left = progress.seconds_left
    if left is not None:
        words.append(f"{timedelta(seconds=round(left))} left")
    return ", ".join(words)


class SilentReporter(AbstractContextManager["SilentReporter"]):
    """Says nothing."""

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: Progress) -> None:
        """Do nothing."""


class LineReporter:
    """Writes a line when a phase begins, and then one every few seconds."""

    def __init__(self) -> None:
        self._phase = ""
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, progress: Progress) -> None:
        """Write a line if one is due."""
        if progress.phase == "writing":
            return
        now = time.monotonic()
        ended = progress.phase == "generating" and progress.done == progress.planned
        if progress.phase == self._phase and now < self._next and not ended and not progress.note:
            return
        self._phase, self._next = progress.phase, now + _LINE_SECONDS
        count = f" {progress.done}/{progress.planned}" if progress.phase == "generating" else ""
        say_line(f"{progress.phase}{count}: {describe(progress)}", err=True)


class BarReporter:
    """A rich progress bar that redraws by itself."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("loading", total=None, words="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Redraw with new figures."""
        if progress.phase == "writing":
            self._bar.update(self._task, description=progress.phase)
            return
        generating = progress.phase == "generating"
        self._bar.update(
            self._task,
            description=progress.phase,
            completed=progress.done,
            total=progress.planned if generating else None,
            words=one_line(describe(progress)),
        )
