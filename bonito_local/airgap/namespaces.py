"""The strongest layer on Linux: a network namespace of its own, with no interface in it.

Queues and shared memory of other processes stay outside as well.

No privilege is needed: a user namespace, in which every user and group keeps its number,
grants the right to make it. Files stay as readable and writable as they were.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

from bonito_local.airgap.layers import LayerRefused

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CLONE_NEWIPC = 0x08000000  # System V's and POSIX's queues and shared memory
_CAPABILITY_VERSION_3 = 0x20080522
# Root's rights over files of others: CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID.
_FILE_CAPABILITIES = 0b11111
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40
_PR_SET_DUMPABLE = 4
_SELF = Path("/proc/self")


def enter_namespace(*, loopback: bool = False) -> None:
    """Move this process into an empty network namespace; with `loopback`, one with `lo` up.

    Raises:
        LayerRefused: the system does not allow it, or the process has threads already.
    """
    if len(list((_SELF / "task").iterdir())) > 1:
        raise LayerRefused("the process has threads already")
    if code := _tried_in_a_child():
        raise LayerRefused(os.strerror(code).lower())
    try:
        _unshare()
        if loopback:
            _loopback_up()
        drop_capabilities()
    except OSError as error:
        raise LayerRefused((error.strerror or str(error)).lower()) from error


def is_empty() -> bool:
    """Whether this process's network has no interface but its own loopback."""
    lines = (_SELF / "net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines] == ["lo"]


def _tried_in_a_child() -> int:
    """Try it where nothing is lost: half of it (Ubuntu's AppArmor) would leave a broken process."""
    pid = os.fork()
    if not pid:
        status = 1
        try:
            _unshare()
            status = 0
        except OSError as error:
            status = error.errno or 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _unshare() -> None:
    """Make the namespaces, with every id mapped to itself."""
    _own_its_files()
    user, group = os.geteuid(), os.getegid()
    mapper = _start_mapper() if user == 0 else None
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0
    code = ctypes.get_errno()
    mapped = mapper is not None and _go(*mapper, done)
    if not done:
        raise OSError(code, os.strerror(code))
    if not mapped:
        # An unprivileged process may map itself, once it cannot drop groups any more.
        (_SELF / "setgroups").write_text("deny")
        (_SELF / "uid_map").write_text(f"{user} {user} 1")
        (_SELF / "gid_map").write_text(f"{group} {group} 1")


def _own_its_files() -> None:
    """Let this process write to its own files under /proc: one that leaves no core file may not."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def _start_mapper() -> tuple[int, int]:
    """Start a child that stays outside and can map all ids: root keeps the files of others."""
    target = Path(f"/proc/{os.getpid()}")
    maps = {name: _identity((_SELF / name).read_text()) for name in ("uid_map", "gid_map")}
    waiting, go = os.pipe()
    pid = os.fork()
    if pid:
        os.close(waiting)
        return pid, go
    status = 1
    try:
        os.close(go)
        if os.read(waiting, 1):
            for name, ranges in maps.items():
                (target / name).write_text(ranges)
            status = 0
    finally:
        os._exit(status)


def _go(pid: int, pipe: int, wanted: bool) -> bool:
    """Let the mapper map, or end; returns whether it mapped."""
    if wanted:
        os.write(pipe, b"+")
    os.close(pipe)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _identity(ranges: str) -> str:
    """Return a map of the ids there are, each to itself."""
    lines = (line.split() for line in ranges.splitlines())
    return "".join(f"{first} {first} {count}\n" for first, _, count in lines)


def _loopback_up() -> None:
    import fcntl
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        flags = struct.pack("16sh22x", b"lo", _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(sock, _SIOCSIFFLAGS, flags)


def drop_capabilities() -> None:
    """Give back the rights over the new namespaces; root keeps those over files, and no others."""
    kept = _FILE_CAPABILITIES if os.geteuid() == 0 else 0
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    if libc.capset(header, struct.pack("=6I", kept, kept, 0, 0, 0, 0)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
