"""Documents are opened as they were found: no link, pipe or device put in their place since."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

from bonito_local.bounds import BLOCK, is_mostly_holes
from bonito_local.errors import DocumentError

# A pipe without a writer is opened at once, and found out below.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_document(path: Path) -> int:
    """Open an ordinary file by its real path, in which nothing is a link; return its descriptor.

    Raises:
        DocumentError: it cannot be opened, is no ordinary file, or is mostly holes.
    """
    try:
        number = _open_without_links(path)
    except (OSError, ValueError) as error:
        raise _refusal(error) from error
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise DocumentError("This is not an ordinary file.", "Copy its text into one.")
        _check_holes(number, found)
    except BaseException:
        os.close(number)
        raise
    return number


def unreadable(error: OSError) -> DocumentError:
    """Return what a user is told of a file that cannot be opened or read."""
    reason = (error.strerror or str(error)).lower()
    return DocumentError(
        f"The file cannot be read: {reason}.", "Check its permissions and its disk."
    )


def _open_without_links(path: Path) -> int:
    if sys.platform != "linux" or not path.is_absolute():
        return os.open(path, _FLAGS)
    # One part after the other: a folder on the way may have been replaced by a link, too.
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.parts[1:-1]:
            inner = os.open(
                name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at
            )
            os.close(at)
            at = inner
        return os.open(path.name, _FLAGS, dir_fd=at)
    finally:
        os.close(at)


def _check_holes(number: int, found: os.stat_result) -> None:
    if is_mostly_holes(number, found):
        stored = found.st_blocks * BLOCK
        raise DocumentError(
            f"The file is {found.st_size / 1e9:,.0f} GB long, but {stored / 1e6:,.0f} MB "
            "of it are on the disk: it is mostly holes.",
            "Copy its text into an ordinary file.",
        )


def _refusal(error: OSError | ValueError) -> DocumentError:
    if isinstance(error, ValueError):  # a zero byte in its name
        return DocumentError("The file's name cannot be opened.", "Rename it.")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return DocumentError(
            "The file was replaced by a link after it was found; it is not followed.",
            "Name the document itself.",
        )
    if error.errno == errno.ENXIO:
        return DocumentError("This is not an ordinary file.", "Copy its text into one.")
    return unreadable(error)
