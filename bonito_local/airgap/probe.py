"""Proof that the air gap holds: a child enters it and tries to get out, by every road.

Run as a module it is that child: `python -m bonito_local.airgap.probe TCP UDP [--outside]` with
the ports that its parent listens on. `--outside` enters nothing: the same attempts then show
that they would have got through.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from bonito_local.airgap.gap import Enforcement, enter
from bonito_local.errors import AirGapError

_PUBLIC = ("192.0.2.1", 443)  # reserved for documentation: routed like any, answered by nobody
_NAME = "bonito-local.invalid"  # reserved: exists nowhere
_SECONDS = 60
_THROUGH = "got through"
_NATIVE = " (native code)"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a child that entered the air gap met: attempt -> how it ended.

    `reached` are those that got out, `control` those that reach this machine's loopback
    without the air gap: were it empty, nothing would be proven.
    """

    enforcement: Enforcement
    attempts: dict[str, str]
    control: tuple[str, ...]

    @property
    def reached(self) -> tuple[str, ...]:
        """The attempts that got out."""
        return tuple(name for name, ended in self.attempts.items() if ended == _THROUGH)

    @property
    def holds(self) -> bool:
        """Whether nothing got out that gets out otherwise."""
        return bool(self.control) and not self.reached


def prove() -> Proof:
    """Let two children try, one in the air gap and one outside it, and compare."""
    with closing(socket.socket()) as tcp, closing(_udp()) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen(16)
        udp.bind(("127.0.0.1", 0))
        ports = [str(sock.getsockname()[1]) for sock in (tcp, udp)]
        outside = _child([*ports, "--outside"])
        inside = _child(ports)
    enforcement = Enforcement(tuple(inside["layers"]), tuple(inside["limits"]))
    control = [name for name, ended in outside["attempts"].items() if ended == _THROUGH]
    return Proof(enforcement, inside["attempts"], tuple(control))


def _child(args: list[str]) -> dict[str, dict[str, str]]:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "bonito_local.airgap.probe", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        raise AirGapError(
            f"The air gap could not be tried: {said[-1] if said else ended.returncode}.",
            "Install bonito-local again.",
        )
    found: dict[str, dict[str, str]] = json.loads(ended.stdout)
    return found


def attempt_all(tcp: int, udp: int, *, public: bool) -> dict[str, str]:
    """Try each road out, and return how each attempt ended.

    `public` attempts send packets to addresses that nobody has; the others stay on this machine.
    """
    here = "127.0.0.1"
    roads: dict[str, Callable[[], object]] = {
        "TCP to this machine": lambda: _python_tcp((here, tcp)),
        "UDP to this machine": lambda: _python_udp((here, udp)),
    }
    if os.name == "posix":
        roads[f"TCP to this machine{_NATIVE}"] = lambda: _native((here, tcp), socket.SOCK_STREAM)
        roads[f"UDP to this machine{_NATIVE}"] = lambda: _native((here, udp), socket.SOCK_DGRAM)
    if public:
        roads |= {
            "TCP to a public address": lambda: _python_tcp(_PUBLIC),
            "UDP to a public address": lambda: _python_udp(_PUBLIC),
            "DNS": lambda: socket.getaddrinfo(_NAME, 443),
        }
        if os.name == "posix":
            stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
            roads[f"TCP to a public address{_NATIVE}"] = lambda: _native(_PUBLIC, stream)
            roads[f"UDP to a public address{_NATIVE}"] = lambda: _native(_PUBLIC, datagram)
    return {name: _ended(road) for name, road in roads.items()}


def _ended(road: Callable[[], object]) -> str:
    try:
        road()
    except AirGapError:
        return "refused by the Python audit hook"
    except TimeoutError:
        return _THROUGH  # the packets went; nobody answered
    except OSError as error:
        return f"refused: {(error.strerror or str(error)).lower()}"
    return _THROUGH


def _udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _python_tcp(address: tuple[str, int]) -> None:
    with closing(socket.socket()) as sock:
        sock.settimeout(2)
        sock.connect(address)


def _python_udp(address: tuple[str, int]) -> None:
    with closing(_udp()) as sock:
        sock.sendto(b"x", address)


def _native(address: tuple[str, int], kind: int) -> None:
    """Do it through the C library, where no audit hook sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    host = socket.inet_aton(address[0])
    there = socket.AF_INET.to_bytes(2, sys.byteorder) + address[1].to_bytes(2, "big") + host
    if sys.platform == "darwin":  # BSD has the length in the first byte
        there = bytes((16, socket.AF_INET)) + there[2:]
    there = there.ljust(16, b"\0")
    fd = libc.socket(socket.AF_INET, kind, 0)
    try:
        if fd < 0:
            _raise_errno()
        os.set_blocking(fd, False)
        if libc.connect(fd, there, len(there)) and ctypes.get_errno() != errno.EINPROGRESS:
            _raise_errno()
        if kind == socket.SOCK_DGRAM and libc.send(fd, b"x", 1, 0) < 0:
            _raise_errno()
    finally:
        if fd >= 0:
            os.close(fd)


def _raise_errno() -> None:
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def main(args: list[str]) -> None:
    """Be the child: enter the air gap, try to get out, print what happened."""
    outside = "--outside" in args
    held = Enforcement() if outside else enter()
    # Without the air gap nothing is sent beyond this machine.
    attempts = attempt_all(int(args[0]), int(args[1]), public=not outside)
    report = {"layers": held.layers, "limits": held.limits, "attempts": attempts}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
