"""Landlock: a process that gives up files, other processes and sockets for good.

Chosen beside namespaces and seccomp since it needs no privilege and judges what a filter of system
calls cannot see: paths, the owner of an abstract socket, the process that a signal goes to. A
process in a domain can neither trace nor read one outside it, whoever owns both.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from bonito_local.airgap.layers import LayerRefused

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_ONLY, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
# Access rights, by their bits in landlock.h.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_AND_MAKE = 0b1_1111_1111 << 4  # directories, files, devices, sockets, links
_MAKE_DEVICES = 1 << 6 | 1 << 11
# Since versions 2, 3 and 5.
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_TCP = 0b11  # bind and connect, since version 4
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2  # that lead out of the domain, since version 6


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 if it has none."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, 0, _VERSION_ONLY)))


def enter_domain(*, local_sockets: bool) -> None:
    """Take other processes and abstract sockets from this thread, and TCP; files stay.

    With `local_sockets` TCP stays too: a namespace of its own holds that.

    Raises:
        LayerRefused: the kernel has no Landlock, or one that would forbid to move files.
    """
    if (known := version()) < 2:
        why = "is older than Linux 5.19" if known else "has none, or it is switched off"
        raise LayerRefused(f"the kernel {why}")
    scopes = _ABSTRACT_SOCKETS if known >= 6 else 0
    tcp = _TCP if known >= 4 and not local_sockets else 0
    # Files can be moved from one folder to another only where a rule says so.
    rules = [(Path("/"), _REFER)]
    if not _restrict(known, _MAKE_DEVICES | _REFER, tcp, scopes, rules):
        raise LayerRefused("the kernel refused it")


def confine_files(readable: Iterable[Path] | None, writable: Iterable[Path]) -> bool:
    """Leave this thread, and those it starts, only what lies in these folders, for good.

    With None as `readable` every file can be read as before. Files that are open stay so. Signals
    reach no process outside. Returns whether the kernel has Landlock, without which nothing is
    refused.
    """
    known = version()
    if known < 1:
        return False
    reading = 0 if readable is None else _READ_FILE | _READ_DIR
    handled = _EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE | reading
    handled |= (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    handled |= _IOCTL_DEVICE if known >= 5 else 0
    writing = handled & ~_EXECUTE & ~_IOCTL_DEVICE & ~_MAKE_DEVICES
    rules = [(folder, reading) for folder in readable or ()]
    rules += [(folder, writing) for folder in writable]
    tcp = _TCP if known >= 4 else 0
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if known >= 6 else 0
    return _restrict(known, handled, tcp, scopes, rules)


def _restrict(known: int, files: int, tcp: int, scopes: int, rules: list[tuple[Path, int]]) -> bool:
    libc = _libc()
    attributes = struct.pack("QQQ", files, tcp, scopes)[: _size(known)]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for folder, access in rules:
            _allow(libc, ruleset, folder, access)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _size(known: int) -> int:
    """Return the length of the attributes that a version of Landlock takes."""
    if known >= 6:
        return 24
    return 16 if known >= 4 else 8


def _allow(libc: ctypes.CDLL, ruleset: int, folder: Path, access: int) -> None:
    try:
        parent = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, parent), 0)
    finally:
        os.close(parent)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
