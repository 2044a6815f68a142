"""A child that works on what strangers wrote, a request at a time, within bounds.

What takes too long or too much memory, and what crashes, ends the child alone; the next request
gets another one. `bonito_local.airgap.serving` is the child's side.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_START_SECONDS = 60.0
_LONGEST_ANSWER = 64 << 20


class RefusedError(Exception):
    """A request that was not answered; the message says why, without its text."""


class BoundedChild:
    """Runs a module of this package that answers requests in JSON; safe from one thread."""

    def __init__(self, module: str, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return what the module answers.

        Raises:
            RefusedError: it took too long or too much memory, was nested too deeply, or crashed.
        """
        process = self._process or self._start()
        with suppress(OSError):  # it has ended: that shows below
            _pipe(process.stdin).write(json.dumps(request).encode() + b"\n")
            _pipe(process.stdin).flush()
        answer = self._answer(process, self._seconds)
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer["answer"]

    def close(self) -> None:
        """End the child, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    _pipe(pipe).close()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            # -P: a module in the folder the user works in must not be taken for one of ours.
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what Python says of a fault may quote the request
            start_new_session=True,
        )
        self._answer(self._process, _START_SECONDS)
        return self._process

    def _answer(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            line = _pipe(process.stdout).readline(_LONGEST_ANSWER)
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        self.close()
        if late.is_set():
            raise RefusedError(f"it took more than {seconds:g} s")
        status = process.returncode
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        raise RefusedError(f"it ended its process ({name})")


def _pipe(pipe: Any) -> Any:
    if pipe is None:
        raise RefusedError("its process has no pipe")
    return pipe
