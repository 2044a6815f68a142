"""Exports of a job: its dataset, those its job file asks for, and any a user asks for later."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from bonito_local.errors import JobError, OutputError
from bonito_local.exports.dataset import Written
from bonito_local.exports.staging import manifest, written
from bonito_local.jobs.exportspec import Export, check_export
from bonito_local.jobs.folder import open_job, store_path
from bonito_local.jobs.generation import from_json
from bonito_local.jobs.lock import ProcessLock
from bonito_local.jobs.output import write_output
from bonito_local.jobs.own_tasks import held_task
from bonito_local.jobs.store import Store
from bonito_local.passages import JOB_FOLDER
from bonito_local.private import make_folder

_LOCK = ".export.lock"


def write_outputs(
    store: Store,
    output: Path,
    exports: Sequence[Export],
    warn: Callable[[str], None] = lambda _: None,
) -> list[Written]:
    """Write the job's whole dataset to `output`, and its exports below it.

    Raises:
        OutputError: a folder cannot be written to.
    """
    made = [write_output(store, output)]
    for wanted in exports:
        made.append(write_output(store, wanted.folder(output), wanted))
        for text in made[-1].warnings:
            warn(f"{wanted.format}: {text}")
    return made


def export_again(output: Path, exports: Sequence[Export] | None = None) -> list[Written]:
    """Write the dataset and the exports of the job in `output` anew, as it was reviewed.

    Without `exports` they are those that the job was last run with.

    Raises:
        JobError: a process works on the job.
        OutputError: a folder cannot be written to.
    """
    with _opened(output) as store:
        request = store.load("request")
        if exports is None:
            exports = from_json(request, output).exports if request else ()
        return write_outputs(store, output, exports)


def export(output: Path, wanted: Export, folder: Path | None = None) -> Written:
    """Write one export of the job in `output` to `folder`, or below the job's dataset.

    Raises:
        UsageError: it cannot be made; nothing has changed.
        JobError: a process works on the job.
        OutputError: the folder holds something else, is being written to, or cannot be.
    """
    check_export(wanted)
    with _opened(output) as store:
        tasks = tuple(held_task(store, name) for name in wanted.choice.tasks)
        wanted = replace(wanted, choice=replace(wanted.choice, tasks=tasks))
        if folder is None or folder.resolve() == wanted.folder(output).resolve():
            return write_output(store, wanted.folder(output), wanted)
        if folder.resolve() == output.resolve():
            raise OutputError(
                f"{folder} is where the job and its whole dataset are.",
                "Name another folder for an export.",
            )
        with _claimed(folder):
            return write_output(store, folder, wanted)


@contextmanager
def _opened(output: Path) -> Iterator[Store]:
    """Open a job that there is."""
    if not store_path(output).exists():
        raise JobError(f"There is no job in {output}.", "`bonito-local jobs` lists them.")
    with open_job(output) as store:
        yield store


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Make a folder for an export alone, or see that it holds one, for the block's time."""
    new = not folder.exists()
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file.", "Name a folder for the dataset.")
        if (folder / JOB_FOLDER).exists():
            raise OutputError(f"{folder} holds a job.", "Name another folder for an export.")
        make_folder(folder)
        lock = ProcessLock(folder / _LOCK)
        # One that another export took away with its end is no lock.
        if not lock.acquire() or not (folder / _LOCK).exists():
            lock.release()
            raise OutputError(
                f"Another export is being written to {folder}.",
                "Wait until it ends, or name another folder.",
            )
    except (OSError, sqlite3.Error) as error:
        _leave(folder, new)
        raise OutputError(
            f"The dataset cannot be written to {folder}: "
            f"{getattr(error, 'strerror', None) or error}.",
            "Name a folder on a disk with space that you may write to.",
        ) from error
    try:
        ours = manifest(folder) is not None or bool(written(folder))
        if not ours and any(not path.name.startswith(_LOCK) for path in folder.iterdir()):
            raise OutputError(
                f"{folder} exists and was not made by bonito-local.",
                "Name a new or an empty folder for the dataset.",
            )
        yield
    finally:
        _leave(folder, new, lock)


def _leave(folder: Path, new: bool, lock: ProcessLock | None = None) -> None:
    """Take the lock away, and a new folder that nothing was written to."""
    with suppress(OSError):
        (folder / _LOCK).unlink(missing_ok=True)
    if lock:
        lock.release()
    with suppress(OSError):
        if new and not any(folder.iterdir()):
            folder.rmdir()
