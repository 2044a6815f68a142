"""One running job per engine: the others wait, the one of highest priority first."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.folder import is_running
from bonito_local.jobs.lock import ProcessLock
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.registry import Registry, state_folder
from bonito_local.private import make_folder

_LOOK_SECONDS = 0.3


@contextmanager
def turn(
    output: Path,
    engine: str,
    priority: int,
    notify: Notify,
    warn: Callable[[str], None],
    stop: Stop,
) -> Iterator[None]:
    """Wait until the job in `output` may use `engine`, or `stop()`; it may for the block's time.

    A user whose list of jobs cannot be written is warned, and runs at once.
    """
    try:
        lock = _wait(output, engine, priority, notify, stop)
    except JobError as error:
        warn(f"{error} This job is not on the list, and does not wait for others.")
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _wait(
    output: Path, engine: str, priority: int, notify: Notify, stop: Stop
) -> ProcessLock | None:
    registry = Registry()
    registry.add(output)
    registry.wait(output, engine, priority)
    folder = state_folder() / "engines"
    lock = ProcessLock(folder / f"{engine}.lock")
    try:
        make_folder(folder)
        while not stop():
            ahead = takewhile(lambda path: path != output.resolve(), registry.waiting(engine))
            # A process that died while it waited holds its job no more: it is passed over.
            if not any(map(is_running, ahead)) and lock.acquire():
                return lock
            notify(Progress("waiting", note=f"another job uses the {engine} engine"))
            time.sleep(_LOOK_SECONDS)
        return None
    except (OSError, sqlite3.Error) as error:
        raise JobError(
            f"The {engine} engine's lock in {folder} cannot be used: {error}.",
            "See that your home can be written to.",
        ) from error
    finally:
        registry.leave(output)
