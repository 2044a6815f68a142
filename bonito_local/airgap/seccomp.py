"""A second layer on Linux, in the kernel too: system calls that lead out are refused.

It holds where namespaces are not allowed, closes the ways out of one (Unix sockets of
daemons that talk for others, setns), and stays with every program that is started.

Written here, in BPF: libseccomp's binding for Python is not on PyPI, and a library of the system's
may be missing or older than a call that is to be refused.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from errno import EACCES
from typing import Literal

from bonito_local.airgap.calls import BY_MACHINE, TERMINAL_REQUESTS, Calls
from bonito_local.airgap.layers import LayerRefused

Sockets = Literal["none", "unix", "any"]

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _NETLINK_ROUTE = 1, 2, 10, 16, 0
_X32 = 0x40000000
# BPF instructions: load a word, jump if equal, jump if at least, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


def filter_calls(sockets: Sockets = "none", *, programs: bool = True) -> None:
    """Refuse, with EACCES, the system calls that lead out; in all threads, for good.

    Args:
        sockets: Which may be opened: "none", Unix ones, or those that a network namespace holds.
            Pairs of connected Unix sockets may always be; "none" lets nothing be sent from them
            but to each other.
        programs: Whether other programs may be started. They are held as this one is.

    Raises:
        LayerRefused: this system or processor has no such filter.
    """
    calls = BY_MACHINE.get(platform.machine())
    if calls is None or struct.calcsize("P") != 8:
        raise LayerRefused(f"not known for {platform.machine()} processors")
    install(calls, _rules(calls, sockets, programs))


def install(calls: Calls, rules: list[bytes]) -> None:
    """Install a filter of these rules, each of which decides about one system call.

    Raises:
        LayerRefused: the kernel does not take it.
    """
    code = b"".join([*_other_machines_refused(calls), *rules, _instruction(_RETURN, _ALLOW)])
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise LayerRefused(os.strerror(ctypes.get_errno()).lower())
    refused = libc.syscall(calls.seccomp, _SET_MODE_FILTER, _FLAG_TSYNC, program)
    if refused:
        why = os.strerror(ctypes.get_errno()) if refused < 0 else "a thread has a filter of its own"
        raise LayerRefused(why.lower())


def _rules(calls: Calls, sockets: Sockets, programs: bool) -> list[bytes]:
    refused = list(calls.escapes)
    if not programs:
        refused += calls.programs
    # Pairs of other families (TIPC) lead elsewhere.
    rules = [
        refuse_argument(calls.ioctl, 1, TERMINAL_REQUESTS),
        refuse_other_than(calls.socketpair, (_AF_UNIX,)),
    ]
    if sockets == "none":
        refused += [calls.socket, *calls.opening, *calls.messages]
        # Without an address `sendto` is `send`, which reaches only what was connected before.
        rules.append(_refuse_pointer(calls.sendto, 4))
    elif sockets == "unix":
        rules.append(refuse_other_than(calls.socket, (_AF_UNIX,)))
    else:
        # Those of a network namespace; a virtual machine's host (vsock) is in none.
        families = (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK)
        rules.append(refuse_other_than(calls.socket, families))
        rules.append(_refuse_other_netlink(calls.socket))
    return [refuse_call(number) for number in refused] + rules


def refuse_call(number: int) -> bytes:
    """Refuse a system call, whatever its arguments are."""
    return _instruction(_EQUAL, number, 0, 1) + _refuse()


def refuse_argument(number: int, argument: int, values: tuple[int, ...]) -> bytes:
    """Refuse a system call whose argument is one of these words (its upper half is ignored)."""
    tests = [_instruction(_EQUAL, v, len(values) - i, 0) for i, v in enumerate(values)]
    # Past the tests: jump over the refusal.
    body = [_load(argument), *tests, _instruction(_EQUAL, values[0], 0, 1), _refuse()]
    return _of_call(number, b"".join(body))


def refuse_other_than(number: int, families: tuple[int, ...]) -> bytes:
    """Refuse a system call whose first argument is none of these words."""
    tests = [_instruction(_EQUAL, f, len(families) - i, 0) for i, f in enumerate(families)]
    return _of_call(number, b"".join([_load(0), *tests, _refuse()]))


def _refuse_pointer(number: int, argument: int) -> bytes:
    """Refuse a system call whose argument is not null."""
    half = [_instruction(_EQUAL, 0, 1, 0), _refuse()]
    body = [_load(argument), *half, _load(argument, upper=True), *half]
    return _of_call(number, b"".join(body))


def _refuse_other_netlink(socket: int) -> bytes:
    """Refuse netlink but for what asks for the namespace's own addresses."""
    body = [
        _load(0),
        _instruction(_EQUAL, _AF_NETLINK, 0, 3),
        _load(2),
        _instruction(_EQUAL, _NETLINK_ROUTE, 1, 0),
        _refuse(),
    ]
    return _of_call(socket, b"".join(body))


def _of_call(number: int, body: bytes) -> bytes:
    """Let the body decide about one system call; the number is loaded before and after it."""
    count = len(body) // 8 + 1
    return _instruction(_EQUAL, number, 0, count) + body + _instruction(_LOAD, _NUMBER)


def _other_machines_refused(calls: Calls) -> list[bytes]:
    """Begin a filter: calls of another architecture have other numbers for the same things."""
    return [
        _instruction(_LOAD, _ARCH),
        _instruction(_EQUAL, calls.arch, 1, 0),
        _refuse(),
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, _X32, 0, 1),
        _refuse(),
    ]


def _load(argument: int, *, upper: bool = False) -> bytes:
    return _instruction(_LOAD, _ARGUMENTS + 8 * argument + 4 * upper)


def _refuse() -> bytes:
    return _instruction(_RETURN, _ERRNO | EACCES)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
