"""How much a process that reads what strangers wrote may take, and how long it may live."""

from __future__ import annotations

import sys


def limit_memory(most: int) -> None:
    """Bound this process's memory in bytes, and have it leave no core file with a user's text."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def die_with_parent() -> None:
    """On Linux, end this process when the one that started it ends."""
    import ctypes
    import signal

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, int(signal.SIGKILL), 0, 0, 0)
