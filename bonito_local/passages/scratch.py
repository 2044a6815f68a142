"""A folder for each reader process: nothing that a document leaves there outlives its reader.

kreuzberg unpacks a library to the folder for temporary files and loads it from there, checked by
its size alone. Were the folder shared, one document could plant code for the readers of others.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from bonito_local.private import check, make_folder

_PREFIX = "process-"


def make_scratch() -> Path:
    """Make an empty folder for one reader; `remove_scratch` removes it.

    Raises:
        OSError: there is no room for one.
    """
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_parent()))


def remove_scratch(folder: Path) -> None:
    """Remove a reader's folder, whatever it left there."""
    shutil.rmtree(folder, ignore_errors=True)


@cache
def _parent() -> Path:
    """Return a folder of the user's own; the system's, which is everyone's, only in need."""
    from platformdirs import user_cache_path

    folder = user_cache_path("bonito-local") / "reader"
    try:
        make_folder(folder)
        check((), folder)
        _sweep(folder)
    except OSError:
        fresh = Path(tempfile.mkdtemp(prefix="bonito-local-"))
        atexit.register(shutil.rmtree, fresh, ignore_errors=True)
        return fresh
    return folder


def _sweep(folder: Path) -> None:
    """Remove what readers left whose process was killed, and what others put there."""
    for entry in folder.iterdir():
        number = entry.name.removeprefix(_PREFIX).split("-")[0]
        if entry.name.startswith(_PREFIX) and number.isdecimal() and _is_alive(int(number)):
            continue
        if entry.is_dir() and not entry.is_symlink():
            remove_scratch(entry)
        else:
            entry.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))
