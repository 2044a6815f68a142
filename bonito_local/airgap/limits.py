"""How much a process that reads what strangers wrote may take, and what it leaves when it ends."""

from __future__ import annotations

import sys
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4


def leave_no_core() -> None:
    """Have this process leave no core file, whatever ends it, and no other process read it.

    A core file holds a user's text, and lies where the system puts it. The programs that this one
    starts inherit the limit alone.
    """
    if sys.platform == "win32":
        return
    import resource

    with suppress(OSError, ValueError):  # a system that knows no such limit writes none
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        # Where a program collects core files, it gets them whatever the limit is.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_memory(most: int) -> None:
    """Bound this process's memory in bytes, and have it leave no core file with a user's text."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    leave_no_core()


def die_with_parent() -> None:
    """On Linux, end this process when the one that started it ends."""
    import ctypes
    import signal

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
