"""One way out of the air gap, to one address: a process outside it that opens connections.

It is forked before the gap is entered and hands over connected sockets, which work inside:
the kernel goes on refusing every other one. It sees no text, and connects to nothing else.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import struct
import threading

Address = tuple[str, int]

_ANSWER = struct.Struct("!i")  # an errno, with a socket beside it where that is 0
_SECONDS = 15.0


class Broker:
    """The inner end: asks for connections to `address`, from any thread."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._lock = threading.Lock()
        self._control, outer = socket.socketpair()
        if os.fork() == 0:
            self._control.close()
            try:
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_IGN)
                _serve(outer, address)
            finally:
                os._exit(0)
        outer.close()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors of this process that lead to the one outside."""
        return (self._control.fileno(),)

    def connect(self, timeout: float) -> socket.socket:
        """Return a connected socket.

        Raises:
            OSError: nobody answers there.
        """
        with self._lock:
            self._control.sendall(b"+")
            answer, descriptors, _, _ = socket.recv_fds(self._control, _ANSWER.size, 1)
        code = _ANSWER.unpack(answer)[0] if len(answer) == _ANSWER.size else errno.EPIPE
        if code or not descriptors:
            raise OSError(code, os.strerror(code))
        connected = socket.socket(fileno=descriptors[0])
        connected.settimeout(timeout)
        return connected


def _serve(control: socket.socket, address: Address) -> None:
    """Connect each time it is asked, until nobody is left to ask."""
    while control.recv(1):
        try:
            with socket.create_connection(address, timeout=_SECONDS) as sock:
                # Blocking is a property of what is shared with the other process.
                sock.setblocking(True)
                socket.send_fds(control, [_ANSWER.pack(0)], [sock.fileno()])
        except OSError as error:
            # A name that is not found has a number of another kind.
            known = error.errno if error.errno and error.errno > 0 else errno.EHOSTUNREACH
            control.sendall(_ANSWER.pack(known))
