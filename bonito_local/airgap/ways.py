"""Every way out of the air gap that is known, each as an attempt that a process can make."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bonito_local.airgap import native

Subject = Literal["job", "reader", "tables"]
SUBJECTS: tuple[Subject, ...] = ("job", "reader", "tables")

PUBLIC = ("192.0.2.1", 443)  # reserved for documentation: routed like any, answered by nobody
_NAME = "bonito-local.invalid"  # reserved: exists nowhere
_NATIVE = " (native code)"
_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Targets:
    """What the attempts reach for: all of it made by the process that watches them.

    `victim` is a process of the same user and `address` a byte of its memory; `terminal` and
    `inherited` are descriptors; `folder` is one where others read, `own` the reader's alone.
    """

    tcp: int = 0
    udp: int = 0
    stream: str = ""
    datagram: str = ""
    abstract: str = ""
    victim: int = 0
    address: int = 0
    queue: int = -1
    semaphore: int = -1
    terminal: int = -1
    inherited: int = -1
    folder: str = ""
    own: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way out. `public` ones send packets beyond this machine, if nothing holds them.

    `readers` are those that a job may take by its nature: it starts programs and writes files.
    """

    name: str
    attempt: Callable[[Targets], object]
    public: bool = False
    readers: bool = False


def ways(subject: Subject, *, public: bool) -> list[Way]:
    """Return the ways out that are refused to a process of this kind, on this system."""
    known = [*_INTERNET, *(_POSIX if os.name == "posix" else ()), *(_LINUX if LINUX else ())]
    return [
        way for way in known if (public or not way.public) and (subject != "job" or not way.readers)
    ]


def _tcp(address: tuple[str, int]) -> None:
    with closing(socket.socket()) as sock:
        sock.settimeout(2)
        sock.connect(address)


def _udp(address: tuple[str, int]) -> None:
    with closing(socket.socket(socket.AF_INET, _DATAGRAM)) as sock:
        sock.sendto(b"x", address)


def _unix(path: str) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.connect(path)


def _unix_datagram(path: str) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, _DATAGRAM)
    with closing(near), closing(far):
        near.sendto(b"x", path)


def _here(port: int) -> tuple[str, int]:
    return ("127.0.0.1", port)


_INTERNET = (
    Way("TCP to this machine", lambda at: _tcp(_here(at.tcp))),
    Way("UDP to this machine", lambda at: _udp(_here(at.udp))),
    Way("TCP to a public address", lambda _: _tcp(PUBLIC), public=True),
    Way("UDP to a public address", lambda _: _udp(PUBLIC), public=True),
    Way("DNS", lambda _: socket.getaddrinfo(_NAME, 443), public=True),
)
_POSIX = (
    Way(f"TCP to this machine{_NATIVE}", lambda at: native.internet(_here(at.tcp), _STREAM)),
    Way(f"UDP to this machine{_NATIVE}", lambda at: native.internet(_here(at.udp), _DATAGRAM)),
    Way(
        f"TCP to a public address{_NATIVE}",
        lambda _: native.internet(PUBLIC, _STREAM),
        public=True,
    ),
    Way(
        f"UDP to a public address{_NATIVE}",
        lambda _: native.internet(PUBLIC, _DATAGRAM),
        public=True,
    ),
    Way("Unix socket by its path", lambda at: _unix(at.stream)),
    Way("Unix datagram to a path", lambda at: _unix_datagram(at.datagram)),
)
_LINUX = (
    Way(f"Unix socket by its path{_NATIVE}", lambda at: native.unix_stream(at.stream)),
    Way(f"Unix datagram to a path{_NATIVE}", lambda at: native.unix_datagram(at.datagram)),
    Way(
        f"Unix datagram to an abstract name{_NATIVE}",
        lambda at: native.unix_datagram(b"\0" + at.abstract.encode()),
    ),
    Way("a descriptor sent to a Unix socket", lambda at: native.unix_descriptor(at.datagram)),
    Way("netlink", lambda _: native.netlink()),
    Way("vsock, to a virtual machine's host", lambda _: native.host_socket()),
    Way("io_uring", lambda _: native.ring()),
    Way("a socket from before", lambda at: native.send_from(at.inherited)),
    Way("ptrace of another process", lambda at: native.trace(at.victim)),
    Way("process_vm_writev", lambda at: native.write_memory(at.victim, at.address)),
    Way("/proc/PID/mem", lambda at: native.write_memory_file(at.victim, at.address)),
    Way("pidfd_getfd", lambda at: native.take_descriptor(at.victim)),
    Way("keys of the kernel", lambda _: native.key()),
    Way("a look-up by the kernel", lambda _: native.kernel_lookup()),
    Way("a System V message queue", lambda at: native.queue(at.queue)),
    Way("a System V semaphore", lambda at: native.set_semaphore(at.semaphore)),
    Way("typing into the terminal (TIOCSTI)", lambda at: native.type_into(at.terminal)),
    Way("a core file", lambda at: native.crash(at.folder)),
    Way("/dev/tty", lambda _: os.close(os.open("/dev/tty", os.O_RDWR)), readers=True),
    Way("another program", lambda _: native.run_program(), readers=True),
    Way("a signal to another process", lambda at: native.signal_to(at.victim), readers=True),
    Way(
        "a file in a folder that others read",
        lambda at: Path(at.folder, "left").write_text("x"),
        readers=True,
    ),
)
