"""The system calls that lead out of the air gap, by their numbers on each processor."""

from __future__ import annotations

from dataclasses import dataclass

# Requests of `ioctl`, the same on both processors: TIOCSCTTY takes a terminal over, TIOCSTI and
# TIOCLINUX type into one, TIOCCONS redirects the console.
TERMINAL_REQUESTS = (0x540E, 0x5412, 0x541C, 0x541D)


@dataclass(frozen=True, slots=True)
class Calls:
    """The numbers of one processor.

    `escapes` act on other processes, on the kernel's own memory, or open sockets unseen by a
    filter. `messages` carry data to processes that share no file with this one.
    """

    arch: int
    seccomp: int
    socket: int
    socketpair: int
    sendto: int
    opening: tuple[int, ...]  # bind, connect, sendmsg, sendmmsg
    ioctl: int
    programs: tuple[int, ...]  # execve, execveat
    escapes: tuple[int, ...]
    messages: tuple[int, ...]


# Escapes, in this order: io_uring_setup, io_uring_enter, io_uring_register; pidfd_getfd; setns;
# ptrace, process_vm_readv, process_vm_writev; add_key, request_key (which starts a program that
# looks names up), keyctl; bpf, perf_event_open, open_by_handle_at.
# Messages: System V shared memory, semaphores and queues (get, and what acts by a known number, of
# which semctl alone carries 64 kB), POSIX queues (open).
_RINGS = (425, 426, 427, 438)
BY_MACHINE = {
    "x86_64": Calls(
        arch=0xC000003E,
        seccomp=317,
        socket=41,
        socketpair=53,
        sendto=44,
        opening=(49, 42, 46, 307),
        ioctl=16,
        programs=(59, 322),
        escapes=(*_RINGS, 308, 101, 310, 311, 248, 249, 250, 321, 298, 304),
        messages=(29, 30, 31, 64, 65, 66, 220, 68, 69, 71, 240),
    ),
    "aarch64": Calls(
        arch=0xC00000B7,
        seccomp=277,
        socket=198,
        socketpair=199,
        sendto=206,
        opening=(200, 203, 211, 269),
        ioctl=29,
        programs=(221, 281),
        escapes=(*_RINGS, 268, 117, 270, 271, 217, 218, 219, 280, 241, 265),
        messages=(194, 195, 196, 190, 191, 193, 192, 186, 187, 189, 180),
    ),
}
