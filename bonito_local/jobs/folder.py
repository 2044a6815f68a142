"""The folder a dataset is written to, and the one process that may write to it.

`OUT/.job` holds the store and its lock; the rest of `OUT` is the dataset.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bonito_local.errors import JobError, OutputError, reason
from bonito_local.jobs.lock import ProcessLock, is_held
from bonito_local.passages import JOB_FOLDER
from bonito_local.private import NotPrivateError, check, make_folder

if TYPE_CHECKING:
    from bonito_local.jobs.store import Store

STORE = "store.sqlite"
LOCK = "lock"
LOG = "log"
_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps beside a store


@contextmanager
def open_job(output: Path) -> Iterator[Store]:
    """Open the job in `output`, made if there is none, for this process alone.

    Raises:
        OutputError: `output` holds something else, or cannot be written to.
        JobError: another process runs this job, or its store cannot be used.
    """
    # Only here: whoever just looks where a job's files are is to be quick.
    from bonito_local.jobs.store import Store

    folder = _claim(output)
    check_own(output)
    lock = ProcessLock(folder / LOCK)
    try:
        if not lock.acquire():
            raise JobError(
                f"Another process is running or exporting the job in {output}.",
                "Wait until it ends, or stop it with `bonito-local pause`, and try again.",
            )
    except (OSError, sqlite3.Error) as error:
        raise OutputError(
            f"{output} cannot be locked: {error}.",
            "Name a folder on a disk with space that you may write to.",
        ) from error
    try:
        store = Store(folder / STORE)
        try:
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def check_own(output: Path) -> None:
    """See that what is in the folder of a job belongs to the user alone.

    Raises:
        JobError: a link, or what others may write to, is in place of one of its files.
    """
    folder = output / JOB_FOLDER
    names = (STORE, *(f"{STORE}{end}" for end in _BESIDE), LOCK, LOG)
    try:
        check([folder / name for name in names], folder)
    except NotPrivateError as error:
        raise JobError(
            f"The job in {output} is not yours alone: {error}.",
            "Find out who made it; name a new folder for a new dataset.",
        ) from error
    except (OSError, ValueError) as error:
        raise JobError(f"The job in {output} cannot be opened: {reason(error)}.") from error


def is_running(output: Path) -> bool:
    """Whether a living process works on the job in `output`, or waits to."""
    check_own(output)
    return is_held(output / JOB_FOLDER / LOCK)


def store_path(output: Path) -> Path:
    """Where the store of a job that writes to `output` is."""
    return output / JOB_FOLDER / STORE


def log_path(output: Path) -> Path:
    """Where detached workers of the job that writes to `output` say what they do."""
    return output / JOB_FOLDER / LOG


def _claim(output: Path) -> Path:
    """Make `output` and its job folder, or see that they are a job's."""
    folder = output / JOB_FOLDER
    try:
        if output.exists() and not output.is_dir():
            raise OutputError(f"{output} is a file.", "Name a folder for the dataset.")
        if output.is_dir() and not (folder / STORE).exists() and any(output.iterdir()):
            unfinished = {folder} == set(output.iterdir())
            if not unfinished and folder.is_dir():
                raise OutputError(
                    f"The store of the job in {output} is gone: {folder / STORE}.",
                    "Put it back, or name a new folder for a new dataset.",
                )
            if not unfinished:
                raise OutputError(
                    f"{output} exists and was not made by bonito-local.",
                    "Name a new or an empty folder for the dataset.",
                )
        make_folder(output)
        make_folder(folder)
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{output} cannot be written to: {reason(error)}.",
            "Name a folder on a disk with space that you may write to.",
        ) from error
    return folder
