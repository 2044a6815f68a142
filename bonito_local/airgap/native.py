"""Calls of the C library, as native code in a confined process would make them."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from contextlib import closing

from bonito_local.airgap.calls import TERMINAL_REQUESTS

# System calls without a name in every C library: numbers of x86-64 and ARM64.
_NUMBERS = {
    "add_key": (248, 217),
    "request_key": (249, 218),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
}
_PTRACE_SEIZE = 0x4206
_PROCESS_KEYRING = -2
_VSOCK, _VSOCK_HOST = 40, 2
_SET_VALUE = 16  # of semctl
_ABORTED = 134


def libc() -> ctypes.CDLL:
    """Return the C library, whose calls no audit hook sees."""
    return ctypes.CDLL(None, use_errno=True)


def checked(returned: int) -> int:
    """Return what a call returned.

    Raises:
        OSError: it failed.
    """
    if returned < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return returned


def system_call(name: str, *args: object) -> int:
    """Make a system call by its number.

    Raises:
        OSError: it failed.
    """
    import platform

    number = _NUMBERS[name][platform.machine() == "aarch64"]
    return checked(libc().syscall(number, *args))


def internet(address: tuple[str, int], kind: int) -> None:
    """Connect to an address, and with a datagram socket send it a byte."""
    host = socket.inet_aton(address[0])
    there = socket.AF_INET.to_bytes(2, sys.byteorder) + address[1].to_bytes(2, "big") + host
    if sys.platform == "darwin":  # BSD has the length in the first byte
        there = bytes((16, socket.AF_INET)) + there[2:]
    _connect(socket.AF_INET, kind, there.ljust(16, b"\0"), send=kind == socket.SOCK_DGRAM)


def unix_address(name: str | bytes) -> bytes:
    """Return the address of a Unix socket; an abstract name begins with a zero byte."""
    raw = os.fsencode(name)
    family = struct.pack("=H", socket.AF_UNIX)
    return family + raw + (b"" if raw.startswith(b"\0") else b"\0")


def unix_stream(name: str) -> None:
    """Connect to a Unix socket by its path."""
    _connect(socket.AF_UNIX, socket.SOCK_STREAM, unix_address(name))


def unix_datagram(name: str | bytes) -> None:
    """Send from one end of a fresh pair of sockets to another process's socket."""
    pair = (ctypes.c_int * 2)()
    checked(libc().socketpair(socket.AF_UNIX, socket.SOCK_DGRAM, 0, pair))
    try:
        there = unix_address(name)
        checked(libc().sendto(pair[0], b"x", 1, 0, there, len(there)))
    finally:
        for end in pair:
            os.close(end)


def unix_descriptor(name: str) -> None:
    """Hand a descriptor of this process to another process's socket, with `sendmsg`."""
    there = ctypes.create_string_buffer(unix_address(name))
    data = ctypes.create_string_buffer(b"x")
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(data), 1)
    # struct cmsghdr: length, level, type; then the descriptor.
    control = ctypes.create_string_buffer(struct.pack("QiiiI", 20, socket.SOL_SOCKET, 1, 0, 0), 24)
    message = struct.pack(
        "PI4xPQPQi4x",
        ctypes.addressof(there),
        len(unix_address(name)),
        ctypes.addressof(vector),
        1,
        ctypes.addressof(control),
        24,
        0,
    )
    pair = (ctypes.c_int * 2)()
    checked(libc().socketpair(socket.AF_UNIX, socket.SOCK_DGRAM, 0, pair))
    try:
        checked(libc().sendmsg(pair[0], message, 0))
    finally:
        for end in pair:
            os.close(end)


def netlink() -> None:
    """Open a socket to the kernel's own network services."""
    os.close(checked(libc().socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)))


def host_socket() -> None:
    """Open a socket to the host that this virtual machine runs on."""
    there = struct.pack("=HHII4x", _VSOCK, 0, 9, _VSOCK_HOST)
    _connect(_VSOCK, socket.SOCK_STREAM, there)


def ring() -> None:
    """Set up an io_uring, whose operations no filter sees."""
    os.close(system_call("io_uring_setup", 4, ctypes.create_string_buffer(120)))


def trace(process: int) -> None:
    """Attach to a process as a debugger does."""
    checked(libc().ptrace(_PTRACE_SEIZE, process, None, None))


def write_memory(process: int, address: int) -> None:
    """Write one byte to another process's memory."""
    data = ctypes.create_string_buffer(b"x")
    local = (ctypes.c_void_p * 2)(ctypes.addressof(data), 1)
    remote = (ctypes.c_void_p * 2)(address, 1)
    system_call("process_vm_writev", process, local, 1, remote, 1, 0)


def write_memory_file(process: int, address: int) -> None:
    """Write one byte to another process's memory, by its file under /proc."""
    memory = os.open(f"/proc/{process}/mem", os.O_RDWR)
    try:
        os.pwrite(memory, b"x", address)
    finally:
        os.close(memory)


def take_descriptor(process: int) -> None:
    """Take the first descriptor of another process."""
    handle = system_call("pidfd_open", process, 0)
    try:
        os.close(system_call("pidfd_getfd", handle, 0, 0))
    finally:
        os.close(handle)


def key() -> None:
    """Leave data in a key of the kernel, which other processes of the user can be shown."""
    system_call("add_key", b"user", b"bonito-local-probe", b"x", 1, _PROCESS_KEYRING)


def kernel_lookup() -> None:
    """Have the kernel start its program that looks names up, outside every namespace."""
    try:
        system_call("request_key", b"dns_resolver", b"bonito-local.invalid", b"", _PROCESS_KEYRING)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.ENOSYS):
            raise
        # It was asked: that there is no such program, or no such name, is another matter.


def queue(number: int) -> None:
    """Put a message on another process's System V queue."""
    checked(libc().msgsnd(number, struct.pack("q", 1) + b"x", 1, 0o4000))


def make_queue() -> int:
    """Make a System V queue and return its number; `remove_queue` takes it away."""
    return checked(libc().msgget(0, 0o600))


def remove_queue(number: int) -> None:
    """Remove a System V queue."""
    libc().msgctl(number, 0, None)


def set_semaphore(number: int) -> None:
    """Set another process's System V semaphore; a set of them holds 64 kB."""
    checked(libc().semctl(number, 0, _SET_VALUE, 1))


def make_semaphore() -> int:
    """Make a System V semaphore and return its number; `remove_semaphore` takes it away."""
    return checked(libc().semget(0, 1, 0o600))


def remove_semaphore(number: int) -> None:
    """Remove a System V semaphore."""
    libc().semctl(number, 0, 0)


def type_into(terminal: int) -> None:
    """Type a character into the terminal, as if its user had."""
    checked(libc().ioctl(terminal, TERMINAL_REQUESTS[1], ctypes.byref(ctypes.c_char(b"x"))))


def send_from(descriptor: int) -> None:
    """Send a byte by a socket that the process was given at its start."""
    checked(libc().send(descriptor, b"x", 1, 0))


def crash(folder: str) -> None:
    """Fork and abort; whoever is refused a core file is told so by the status."""
    import resource

    child = checked(libc().fork())
    if not child:
        try:
            most = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (most, most))
            os.chdir(folder)
        finally:
            libc().abort()
            os._exit(_ABORTED)
    status = os.waitpid(child, 0)[1]
    if not os.WCOREDUMP(status):
        raise OSError(errno.EPERM, "no core file is written")


def signal_to(process: int) -> None:
    """Ask whether a signal would reach a process."""
    checked(libc().kill(process, 0))


def run_program() -> None:
    """Replace a forked process with another program."""
    child = checked(libc().fork())
    if not child:
        try:
            libc().execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true", None))
        finally:
            os._exit(_ABORTED)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == _ABORTED:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _connect(family: int, kind: int, there: bytes, *, send: bool = False) -> None:
    number = checked(libc().socket(family, kind, 0))
    with closing(os.fdopen(number, "rb", buffering=0)):
        os.set_blocking(number, False)
        if libc().connect(number, there, len(there)) and ctypes.get_errno() not in (
            errno.EINPROGRESS,
            errno.EAGAIN,
        ):
            checked(-1)
        if send:
            checked(libc().send(number, b"x", 1, 0))
