"""A lock on a file that the system frees with its process, however that ends.

It is SQLite's, which locks alike on Linux, macOS and Windows; the file stays empty.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from bonito_local.private import create

# Longer than `is_held` looks, so that looking never makes a taker fail.
_LOOKING_SECONDS = 1.0


class ProcessLock:
    """One process at a time holds the lock on `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None

    def acquire(self) -> bool:
        """Take the lock; return whether it was free.

        Raises:
            sqlite3.Error, OSError: the file cannot be locked by anyone.
        """
        # Not touched where it exists: closing a file frees this process's locks on it (POSIX).
        if not self._path.exists():
            os.close(create(self._path))
        db = sqlite3.connect(self._path, timeout=_LOOKING_SECONDS, isolation_level=None)
        try:
            # A journal on a full disk would fail, and a job there could not be deleted.
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            db.close()
            if _is_busy(error):
                return False
            raise
        self._db = db
        return True

    def release(self) -> None:
        """Free the lock if it is held here."""
        if self._db is not None:
            self._db.close()
            self._db = None


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on `path`."""
    if not path.exists():
        return False
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return _is_busy(error)
    finally:
        db.close()
    return False


def _is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return bool(code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
