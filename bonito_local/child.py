"""A process of this package that is asked once, in JSON, and answers in lines of JSON.

What it computes stays out of the process that asks, and so does its crash.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any


def ended_by(status: int) -> str:
    """The signal that ended a process of this exit status, or nothing."""
    return signal.Signals(-status).name if status < 0 else ""


class AnsweringChild:
    """The module that runs as a program, and what it says; end it with `close`."""

    def __init__(self, module: str, request: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            # -P: a module in the folder the user works in must not be taken for one of ours.
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what an engine says may quote a passage
            start_new_session=True,
        )
        self._request = json.dumps(request).encode()
        self._closed = False

    def answers(self) -> Iterator[dict[str, Any]]:
        """Send the request, and yield what comes back until the process says no more."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(self._request)
            process.stdin.close()
        for line in process.stdout:
            yield json.loads(line)

    def failed(self) -> bool:
        """Wait for its end; whether it was one by itself, and not a good one: a crash, too."""
        return self._process.wait() != 0 and not self._closed

    def crash(self) -> str:
        """Wait for its end; the signal that ended it, or nothing."""
        return ended_by(self._process.wait())

    def close(self) -> None:
        """End it, however far it is."""
        self._closed = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()
