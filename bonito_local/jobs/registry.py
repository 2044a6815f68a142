"""The jobs of this user on this machine, and which of them wait for an engine.

It holds paths, times and numbers, nothing of any document; what a job is and how far is read
from the job itself.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_state_path

from bonito_local.errors import JobError
from bonito_local.private import check, create, make_folder

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT, output BLOB NOT NULL UNIQUE, used REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS waiting (
        turn INTEGER PRIMARY KEY AUTOINCREMENT,
        job INTEGER NOT NULL UNIQUE REFERENCES jobs (id) ON DELETE CASCADE,
        engine TEXT NOT NULL, priority INTEGER NOT NULL)""",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A job's number, the folder it writes to, and when it was last started."""

    id: int
    output: Path
    used: float


def state_folder() -> Path:
    """Where the list and the engines' locks are kept, made if missing."""
    folder = user_state_path("bonito-local")
    try:
        make_folder(folder)
        check((), folder)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


class Registry:
    """The list; every method opens it anew and raises JobError where that cannot be done."""

    def add(self, output: Path) -> int:
        """Put a job on the list, or to its top; return its number."""
        with self._open() as db:
            values = (time.time(), os.fsencode(output.resolve()))
            # Not an upsert, which takes a number even where it only updates.
            if not db.execute("UPDATE jobs SET used = ? WHERE output = ?", values).rowcount:
                db.execute("INSERT INTO jobs (used, output) VALUES (?, ?)", values)
            return self._id(db, output)

    def entries(self) -> list[Entry]:
        """All jobs, by number."""
        with self._open() as db:
            rows = db.execute("SELECT id, output, used FROM jobs ORDER BY id").fetchall()
        return [Entry(job, Path(os.fsdecode(output)), used) for job, output, used in rows]

    def remove(self, output: Path) -> None:
        """Take a job off the list."""
        with self._open() as db:
            db.execute("DELETE FROM jobs WHERE output = ?", (os.fsencode(output.resolve()),))

    def wait(self, output: Path, engine: str, priority: int) -> None:
        """Put a job at the end of an engine's queue."""
        with self._open() as db:
            db.execute(
                "INSERT OR REPLACE INTO waiting (job, engine, priority) VALUES (?, ?, ?)",
                (self._id(db, output), engine, priority),
            )

    def waiting(self, engine: str) -> list[Path]:
        """The outputs of the jobs that wait for an engine, the next one first."""
        with self._open() as db:
            rows = db.execute(
                """SELECT output FROM waiting JOIN jobs ON jobs.id = job
                   WHERE engine = ? ORDER BY priority DESC, turn""",
                (engine,),
            ).fetchall()
        return [Path(os.fsdecode(output)) for (output,) in rows]

    def leave(self, output: Path) -> None:
        """Take a job out of the queue."""
        with self._open() as db:
            db.execute("DELETE FROM waiting WHERE job = ?", (self._id(db, output),))

    def _id(self, db: sqlite3.Connection, output: Path) -> int:
        key = os.fsencode(output.resolve())
        found = db.execute("SELECT id FROM jobs WHERE output = ?", (key,)).fetchone()
        return int(found[0]) if found else 0

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = state_folder() / "jobs.sqlite"
        try:
            # Not opened where it is there: closing a file frees this process's locks on it (POSIX).
            if not path.exists():
                os.close(create(path))
            check([path], path.parent)
            db = sqlite3.connect(path, timeout=10)
            try:
                # A list that is lost is no loss: it need not wait for the disk.
                db.execute("PRAGMA synchronous = OFF")
                db.execute("PRAGMA foreign_keys = ON")
                for statement in _SCHEMA:
                    db.execute(statement)
                with db:
                    yield db
            finally:
                db.close()
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> JobError:
    return JobError(
        f"The list of jobs in {path} cannot be used: {error}.",
        "See that your home can be written to; a damaged list may be deleted.",
    )
