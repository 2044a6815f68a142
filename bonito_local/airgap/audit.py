"""The layer that works everywhere: Python's own audit hook refuses what opens connections.

It holds Python code only. What it has beyond the kernel's layers is that it can say what
was tried, and stop the code that tried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from bonito_local.airgap.calls import TERMINAL_REQUESTS
from bonito_local.errors import AirGapError

_ADDRESSED = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}
_LOOKUPS = {
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
}
_PROGRAMS = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "subprocess.Popen",
}
_LOOPBACK = ("127.", "::1", "localhost")

# What was refused in this process, by event: code that swallows the error is found out by it.
attempts: list[str] = []


def refuse_sockets(*, local: bool = False) -> None:
    """Refuse what leads to another machine; with `local`, not what stays on this one."""

    def check(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.__new__":
            # Said here: the kernel's refusal, a moment later, would look like any other error.
            # Unix sockets come in pairs, too, which lead nowhere.
            if not local and args[1] not in (_unix(), -1):
                _refuse(event)
        elif event == "fcntl.ioctl":
            if args[1] & 0xFFFFFFFF in TERMINAL_REQUESTS:
                _refuse(event)
        elif event in _ADDRESSED:
            if not _stays(args[0], args[1], local):
                _refuse(event)
        elif event in _LOOKUPS and not (local and _is_loopback(args[0])):
            _refuse(event)

    _add(check)


def refuse_programs() -> None:
    """Refuse to start programs, which the hook of this process would not hold."""

    def check(event: str, _args: tuple[Any, ...]) -> None:
        if event in _PROGRAMS:
            _refuse(event)

    _add(check)


def _add(check: Callable[[str, tuple[Any, ...]], None]) -> None:
    sys.addaudithook(check)


def _refuse(event: str) -> None:
    attempts.append(event)
    # Neither a host name nor an address is repeated: it could carry what it was to carry out.
    raise AirGapError(
        f"Something tried to leave the air gap ({event}); it was refused.",
        "Find out what it was: nothing that reads documents needs it.",
    )


def _stays(sock: Any, address: object, local: bool) -> bool:
    if address is None:  # sendmsg on a socket that connected: that was checked
        return True
    if getattr(sock, "family", None) == _unix():
        return local  # behind one may be a daemon that talks for others
    return local and isinstance(address, tuple) and _is_loopback(address[0])


def _unix() -> int | None:
    import socket

    return getattr(socket, "AF_UNIX", None)


def _is_loopback(host: object) -> bool:
    if isinstance(host, tuple):
        host = host[0]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    return host is None or (isinstance(host, str) and host.startswith(_LOOPBACK))
