"""Taking a job away: off the list, or with all text of it from the disk."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import rmtree

from bonito_local.errors import JobError, OutputError
from bonito_local.exports.staging import PART, remove_empty, written
from bonito_local.jobs.exportspec import EXPORTS
from bonito_local.jobs.folder import LOCK, STORE, log_path, store_path
from bonito_local.jobs.lock import ProcessLock
from bonito_local.jobs.registry import Registry
from bonito_local.jobs.report import REPORT
from bonito_local.passages import JOB_FOLDER

_CHUNK = 1 << 20
_TABLES = (
    *("review_log", "reviews", "earlier", "samples", "passages", "documents"),
    *("problems", "readings", "live", "runs"),
)


def remove(output: Path) -> None:
    """Take the job in `output` off the list; its files stay."""
    Registry().remove(output)


def purge(output: Path) -> list[Path]:
    """Delete the job and the dataset in `output`, overwritten first; return what was deleted.

    Files that bonito-local did not write stay. A disk that writes elsewhere than it is told
    (most SSDs, copy-on-write file systems, snapshots, backups) may keep what was overwritten.

    Raises:
        JobError: a process works on the job.
        OutputError: something could not be deleted.
    """
    folder = output / JOB_FOLDER
    lock = ProcessLock(folder / LOCK)
    try:
        if not lock.acquire():
            raise JobError(f"Another process is running the job in {output}.", "Cancel it first.")
        _empty(store_path(output))
        lock.release()
        names = [f"{STORE}{end}" for end in ("", "-wal", "-shm", "-journal")]
        ours = [folder / name for name in (*names, log_path(output).name)]
        ours.append(output / REPORT)
        datasets = [output, *(output / EXPORTS).glob("*/")]
        for dataset in datasets:
            ours += [*written(dataset), *(dataset / PART).rglob("*")]
        deleted = [path for path in ours if path.is_file() and not path.is_symlink()]
        for path in deleted:
            _shred(path)
        (folder / LOCK).unlink(missing_ok=True)
        for dataset in datasets:
            rmtree(dataset / PART, ignore_errors=True)
        for path in deleted:
            remove_empty(path.parent, output.parent)
        remove_empty(folder, output.parent)
    except (OSError, sqlite3.Error) as error:
        raise OutputError(
            f"Not all of {output} could be deleted: {error}.",
            "See that the folder can be written to, and try again.",
        ) from error
    finally:
        lock.release()
    remove(output)
    return deleted


def _empty(store: Path) -> None:
    """Delete every row and shrink the file, as far as the database and the disk allow."""
    if not store.exists():
        return
    try:
        with closing(sqlite3.connect(store, isolation_level=None)) as db:
            db.execute("PRAGMA secure_delete = ON")
            db.execute("PRAGMA temp_store = MEMORY")
            for table in _TABLES:
                db.execute(f"DELETE FROM {table}")  # noqa: S608
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return  # Damaged or full: its bytes are overwritten all the same.


def _shred(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            left = file.seek(0, os.SEEK_END)
            file.seek(0)
            while left > 0:
                left -= file.write(b"\0" * min(left, _CHUNK))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # A full disk that writes elsewhere than it is told: deleting is what makes room.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
    path.unlink()
