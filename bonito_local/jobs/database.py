"""A job's SQLite file: its connections, its transactions, and what its errors mean to a user.

Text that a user gave or a model wrote is in there, so the file is 0600 in a 0700 folder. WAL
lets others read while a job runs; each thread has its own connection.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.columns import WrongTypeError
from bonito_local.jobs.migrations import migrate
from bonito_local.jobs.schema import is_ours
from bonito_local.private import NotPrivateError, check_file, make_folder
from bonito_local.shapes import ShapeError

BUSY_SECONDS = 10.0
_DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)
_LITTLE = 1 << 20  # bytes free on a disk that is as good as full


class Database:
    """One job's database. Every method raises JobError where SQLite cannot go on."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the database at `path`, at the newest schema; made if missing and `create`."""
        self.path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        with self.errors():
            if create:
                make_folder(path.parent)
            _see_that_it_is_there(path, create)
            migrate(self._db)
            if not is_ours(self._db):
                raise self.damaged("its schema was changed")

    def close(self) -> None:
        """Close the connections of all threads; nothing uncommitted is kept."""
        for db in self._open:
            db.close()
        self._open.clear()

    @property
    def _db(self) -> sqlite3.Connection:
        """This thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            # Only `close` touches a connection from another thread than its own.
            db = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._local.db = db
            self._open.append(db)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA foreign_keys = ON")
            # What is deleted or replaced is text of the user's: it does not stay in free pages.
            db.execute("PRAGMA secure_delete = ON")
            # Nor does it go to a folder for temporary files that others share.
            db.execute("PRAGMA temp_store = MEMORY")
            # A damaged file is found out, and one of a stranger's runs nothing.
            db.execute("PRAGMA cell_size_check = ON")
            db.execute("PRAGMA trusted_schema = OFF")
        return db

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes, or nothing of it."""
        with self.errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that the block reads be of one moment, whatever others write meanwhile."""
        with self.errors():
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            with self.errors():
                self._db.execute("ROLLBACK")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn an error of SQLite or of the system into what it means for the user.

        What was written to the store by something else, of other types, is damage too.
        """
        try:
            yield
        except NotPrivateError as error:
            raise JobError(
                f"The job in {self.path.parent.parent} is not yours alone: {error}.",
                "Find out who made it; name a new folder for a new dataset.",
            ) from error
        except (sqlite3.Error, OSError) as error:
            raise _job_error(error, self.path) from error
        except ShapeError as error:
            raise self.damaged(str(error)) from error
        except UnicodeDecodeError as error:  # of SQLite's own words, which quote the file
            raise self.damaged("a text in it is none") from error
        except WrongTypeError as error:
            raise self.damaged(f"{error} is of another type") from error

    def damaged(self, what: str) -> JobError:
        """Return the error that says what is wrong with this store."""
        return JobError(
            f"{self.path} is damaged, or not a job of bonito-local: {what}.",
            "Write to another folder.",
        )


def _see_that_it_is_there(path: Path, create: bool) -> None:
    """Make an empty file that only its user reads, or see that there is one to write to."""
    check_file(path)  # before anything is read from it, or written to what a link leads to
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600))
    # Not opened: on POSIX closing a file frees all locks that this process has on it, and with
    # them goes the log of a connection that is open here.
    elif not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def storable(text: str) -> str:
    """Replace lone surrogates (undecodable file names, broken documents): not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _job_error(error: sqlite3.Error | OSError, path: Path) -> JobError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if isinstance(error, FileNotFoundError):
        return JobError(
            f"There is no job in {path.parent.parent}.", "`bonito-local jobs` lists them."
        )
    if _is_full(error, code, path):
        return JobError(
            f"The disk that holds {path.parent} is full.",
            "Free some space and run the same command again: it goes on where it stopped.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JobError(
            f"Another process has locked {path}.", "Wait until it ends, or stop it, and try again."
        )
    # A text that is none: SQLite's own words would quote it. A schema that is none.
    undecodable = str(error).startswith(("Could not decode", "malformed", "no such", "unknown"))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or (
        undecodable and not isinstance(error, OSError)
    ):
        return JobError(
            f"{path} is damaged, or not a job of bonito-local.", "Write to another folder."
        )
    denied = isinstance(error, OSError) and error.errno in _DENIED
    if denied or code == sqlite3.SQLITE_READONLY:
        return JobError(
            f"{path} cannot be written: it is read-only.",
            "Make the file and its folder writable, and run the same command again.",
        )
    return JobError(
        f"The job store {path} cannot be used: {error}.",
        "See that its folder can be written to and that its disk works, and try again.",
    )


def _is_full(error: sqlite3.Error | OSError, code: int, path: Path) -> bool:
    """Whether the disk has no room; where SQLite cannot lengthen its index it says I/O error."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    if code == sqlite3.SQLITE_IOERR:
        with suppress(OSError):
            return shutil.disk_usage(path.parent).free < _LITTLE
    return code == sqlite3.SQLITE_FULL
