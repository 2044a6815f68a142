"""Landlock: a process that gives up all files but those it names."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_ONLY, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
# Access rights, by their bits in landlock.h.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4  # directories, files, devices, sockets, links
_REFER, _TRUNCATE = 1 << 13, 1 << 14  # since versions 2 and 3


def confine_files(readable: Iterable[Path] | None, writable: Iterable[Path]) -> bool:
    """Leave this thread, and those it starts, only what lies in these folders, for good.

    With None as `readable` every file can be read as before. Files that are open stay so.
    Returns whether the kernel has Landlock, without which nothing is refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _VERSION_ONLY)
    if version < 1:
        return False
    reading = 0 if readable is None else _READ_FILE | _READ_DIR
    handled = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE | reading
    handled |= (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    attributes = struct.pack("Q", handled)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for folder in readable or ():
            _allow(libc, ruleset, folder, reading)
        for folder in writable:
            _allow(libc, ruleset, folder, handled & ~_EXECUTE)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, folder: Path, access: int) -> None:
    try:
        parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, parent), 0)
    finally:
        os.close(parent)
