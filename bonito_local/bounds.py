"""Bounds of what a user, a file or a server may say: numbers, texts, paths and files.

A number beyond them is refused by name, in one line, before anything is reckoned with it.
"""

from __future__ import annotations

import errno
import io
import math
import os
import stat
from pathlib import Path

from bonito_local.errors import UsageError

MOST_WHOLE = (1 << 63) - 1  # of what SQLite and engines hold
BLOCK = 512  # bytes of what `st_blocks` counts
_HOLES_BYTES, _HOLES_RATIO = 1 << 30, 100  # a file that long, that many times what is on the disk
_SHOWN = 40  # characters of a number that is refused


def check_range(name: str, value: float, low: float, high: float, hint: str = "") -> None:
    """Raise UsageError unless a number lies from `low` to `high`."""
    # A whole number of 400 digits compares with a float, and overflows where it is made one.
    if (isinstance(value, float) and not math.isfinite(value)) or not low <= value <= high:
        raise UsageError(f"{name} is {shown(value)}.", hint or f"Use {low:,} to {high:,}.")


def shown(value: float) -> str:
    """Return a number as an error shows it: one of thousands of digits, by its length."""
    if isinstance(value, int) and abs(value) >= 1 << 128:
        return f"a number of about {int(value.bit_length() * 0.30103) + 1:,} digits"
    return str(value)[:_SHOWN]


def user_path(text: str) -> Path:
    """Return the path that a user wrote; `~` is a home folder.

    Raises:
        UsageError: no file can have that name, or there is no such user.
    """
    if "\0" in text:
        raise UsageError("A path with a zero byte in it names no file.", "Write it anew.")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{text.split('/')[0]} is no user's home.", "Write it out.") from error


def user_folder(text: str) -> Path | None:
    """Return the folder that a user wrote; None if there is none that can be looked at."""
    try:
        path = user_path(text)
        return path if text and path.is_dir() else None
    except (UsageError, OSError):  # a name too long, a folder of somebody else
        return None


def open_ordinary(path: Path) -> io.BufferedReader:
    """Open a file to read it: an ordinary one, which ends, and is not terabytes of nothing.

    Raises:
        OSError: it cannot be opened, is a pipe or a device, or is mostly holes.
    """
    # A pipe without a writer is opened at once, and found out below.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file", str(path))
        if is_mostly_holes(number, found):
            raise OSError(errno.EFBIG, "it is mostly holes", str(path))
        return os.fdopen(number, "rb")
    except OSError:
        os.close(number)
        raise


def is_mostly_holes(number: int, found: os.stat_result) -> bool:
    """Whether a long file, opened as `number`, has next to nothing of its length on the disk."""
    stored = getattr(found, "st_blocks", None)
    if stored is None or found.st_size < _HOLES_BYTES:
        return False
    if found.st_size <= _HOLES_RATIO * max(1, stored * BLOCK):
        return False
    # Some network file systems count no blocks at all.
    first = os.lseek(number, 0, os.SEEK_HOLE) if hasattr(os, "SEEK_HOLE") else 0
    os.lseek(number, 0, os.SEEK_SET)
    return first < found.st_size


def read_small(path: Path, most: int = 64_000_000) -> bytes:
    """Return what an ordinary file holds, of at most so many bytes.

    Raises:
        OSError: it cannot be read, is longer, or is a pipe or a device, which may never end.
    """
    with open_ordinary(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is longer than {most:,} bytes", str(path))
    return data
