"""A second layer on Linux, in the kernel too: system calls that open sockets are refused.

It holds where namespaces are not allowed, closes the ways out of one (Unix sockets of
daemons that talk for others, setns), and stays with every program that is started.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from dataclasses import dataclass
from errno import EACCES
from typing import Literal

from bonito_local.airgap.gap import LayerRefused

Sockets = Literal["none", "unix", "any"]

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_AF_UNIX = 1
_X32 = 0x40000000
# BPF instructions: load a word, jump if equal, jump if at least, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data


@dataclass(frozen=True, slots=True)
class _Machine:
    """System call numbers of an architecture."""

    arch: int
    seccomp: int
    socket: int
    opening: tuple[int, ...]  # bind, connect
    escapes: tuple[int, ...]
    programs: tuple[int, ...]  # execve, execveat


# Escapes: io_uring_setup (its rings open sockets unseen by any filter), setns into another
# namespace, pidfd_getfd, ptrace and process_vm_writev, which use another process's sockets.
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E, 317, 41, (49, 42), (425, 308, 438, 101, 311), programs=(59, 322)
    ),
    "aarch64": _Machine(
        0xC00000B7, 277, 198, (200, 203), (425, 268, 438, 117, 271), programs=(221, 281)
    ),
}


def filter_calls(sockets: Sockets = "none", *, programs: bool = True) -> None:
    """Refuse, with EACCES, the system calls that lead out; in all threads, for good.

    Args:
        sockets: Which may be opened: "none", Unix ones, or any. Pairs of connected sockets,
            which lead nowhere, may always be.
        programs: Whether other programs may be started. They are held as this one is.

    Raises:
        LayerRefused: this system or processor has no such filter.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:
        raise LayerRefused(f"not known for {platform.machine()} processors")
    code = _program(machine, sockets, programs)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise LayerRefused(os.strerror(ctypes.get_errno()).lower())
    refused = libc.syscall(machine.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, program)
    if refused:
        why = os.strerror(ctypes.get_errno()) if refused < 0 else "a thread has a filter of its own"
        raise LayerRefused(why.lower())


def _program(machine: _Machine, sockets: Sockets, programs: bool) -> bytes:
    """Assemble the filter: another architecture's calls are refused, then ours by number."""
    refuse = _instruction(_RETURN, _ERRNO | EACCES)
    allow = _instruction(_RETURN, _ALLOW)
    code = [
        _instruction(_LOAD, _ARCH),
        _instruction(_EQUAL, machine.arch, 1, 0),
        refuse,  # 32-bit calls have other numbers for the same things
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
    ]
    refused = list(machine.escapes)
    if sockets == "none":
        refused += [machine.socket, *machine.opening]
    if not programs:
        refused += machine.programs
    for number in refused:
        code += [_instruction(_EQUAL, number, 0, 1), refuse]
    if sockets == "unix":
        code += [
            _instruction(_EQUAL, machine.socket, 0, 3),
            _instruction(_LOAD, _FIRST_ARGUMENT),
            _instruction(_EQUAL, _AF_UNIX, 1, 0),
            refuse,
        ]
    return b"".join([*code, allow])


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
