"""Descriptors that a process was given at its start and that lead out of the air gap."""

from __future__ import annotations

import os
import stat
from collections.abc import Container
from contextlib import suppress
from pathlib import Path

_STANDARD = 3  # what is printed goes where whoever started the process wants it
_LISTS = (Path("/proc/self/fd"), Path("/dev/fd"))


def shut_sockets(kept: Container[int] = ()) -> None:
    """Put the null device in the place of each open socket and io_uring but those `kept`.

    The numbers stay in use, so that whoever closes one later does not close something else.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        for number in _open_descriptors():
            if number not in kept and number != nowhere and _leads_out(number):
                os.dup2(nowhere, number, inheritable=False)
    finally:
        os.close(nowhere)


def _open_descriptors() -> list[int]:
    for folder in _LISTS:
        with suppress(OSError):
            numbers = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()]
            return [number for number in numbers if number >= _STANDARD]
    return []


def _leads_out(number: int) -> bool:
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            return True
        return "io_uring" in str(Path(f"/proc/self/fd/{number}").readlink())
    except OSError:  # closed meanwhile, or a system without /proc
        return False
