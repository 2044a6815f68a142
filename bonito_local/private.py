"""Files and folders of the user's own: made so that nobody else writes to them, and checked.

Whatever the umask is, folders are 0700 and files 0600. A folder that somebody else prepared (links
in place of files, files that others may write) is refused rather than used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotPrivateError(OSError):
    """A file or folder is not the user's own; the message says in what way."""


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the user alone.

    Raises:
        OSError: one cannot be made, or is a file.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path == path.parent:
            break
        path = path.parent
    for folder in reversed(missing):
        # Another process may make it at the same moment.
        folder.mkdir(mode=0o700, exist_ok=True)


def keep_private() -> None:
    """Have all that this process and its children make be for the user alone."""
    os.umask(0o077)


def create(path: Path, flags: int = os.O_WRONLY) -> int:
    """Open a file of the user's own, made if missing, never through a link; return it.

    Raises:
        OSError: it cannot be opened.
        NotPrivateError: it is a link or no ordinary file, or others may write to it.
    """
    number = os.open(path, flags | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        check([path], folder=path.parent)
    except OSError:
        os.close(number)
        raise
    return number


def check(paths: Iterable[Path], folder: Path) -> None:
    """See that the files there are among `paths`, and their folder, belong to the user alone.

    Raises:
        NotPrivateError: one is a link, belongs to another user, or others may write to it.
    """
    if os.name != "posix":
        return
    owner = _owner(folder)
    for path in (folder, *paths):
        with suppress(FileNotFoundError):
            _check(path, path.lstat(), owner, is_folder=path == folder)


def check_file(path: Path) -> None:
    """See that a file, if it is there, is an ordinary one of the user's own, whatever it lies in.

    Raises:
        NotPrivateError: it is a link, belongs to another user, or others may write to it.
    """
    if os.name == "posix":
        with suppress(FileNotFoundError):
            found = path.lstat()
            user = os.geteuid()
            _check(path, found, found.st_uid if user == 0 else user, is_folder=False)


def _check(path: Path, found: os.stat_result, owner: int, *, is_folder: bool) -> None:
    kind = stat.S_ISDIR if is_folder else stat.S_ISREG
    if stat.S_ISLNK(found.st_mode):
        raise NotPrivateError(f"{path} is a link")
    if not kind(found.st_mode):
        raise NotPrivateError(f"{path} is no {'folder' if is_folder else 'ordinary file'}")
    if found.st_uid not in (owner, 0):  # root may do anything anyway, in a container of the user's
        raise NotPrivateError(f"{path} belongs to another user")
    if found.st_mode & _OTHERS_WRITE and _keeps_modes(path if is_folder else path.parent):
        raise NotPrivateError(f"other users may write to {path}")
    if not is_folder and found.st_nlink > 1:
        raise NotPrivateError(f"{path} has another name elsewhere")


def _owner(folder: Path) -> int:
    """Return who is to own a folder: this user; for root, whoever owns the one around it."""
    user = os.geteuid()
    if user == 0:
        with suppress(OSError):
            return folder.absolute().parent.stat().st_uid if _others(folder) else 0
    return user


def _others(folder: Path) -> bool:
    return folder.lstat().st_uid != 0


def _keeps_modes(folder: Path) -> bool:
    """Whether the disk keeps the modes of files; one for Windows shows the same for all."""
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            return not os.fstat(file.fileno()).st_mode & _OTHERS_WRITE
    except OSError:
        return True
