"""A worker whose engine hangs for good: python hung_job.py OUTPUT GIL GRACE MARK.

llama.cpp draws until some samples have ended; then the thread waits in the C library for a lock
that it has itself, with Python's own lock held (GIL 1) or not (0). MARK is touched before.
"""

import ctypes
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bonito_local.backends.base import Completion, Request
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.jobs import watch
from bonito_local.jobs.worker import main

DRAWN = 30
generate = LlamaCpp.generate


def hang() -> None:
    library = (ctypes.PyDLL if sys.argv[2] == "1" else ctypes.CDLL)(None)
    mutex = ctypes.create_string_buffer(256)  # zeros are a mutex nobody has, on Linux
    library.pthread_mutex_lock(mutex)
    Path(sys.argv[4]).touch()
    library.pthread_mutex_lock(mutex)


def generate_and_hang(self: LlamaCpp, requests: Iterable[Request]) -> Iterator[Completion]:
    for at, completion in enumerate(generate(self, requests)):
        if at == DRAWN:
            time.sleep(1.5)  # the recorder commits within half a second
            hang()
        yield completion


if __name__ == "__main__":
    watch.GRACE_SECONDS = float(sys.argv[3])
    LlamaCpp.generate = generate_and_hang  # type: ignore[method-assign]
    sys.exit(main(Path(sys.argv[1]), again=True))
