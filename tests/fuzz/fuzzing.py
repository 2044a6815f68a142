"""Runs a target on what Hypothesis draws: few examples, or for `FUZZ_SECONDS` of time."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from fuzz.kinds import KINDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from bonito_local.errors import BonitoError
from bonito_local.models.installer import Refused

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
_MOST_SECONDS = 10.0
_MOST_MEMORY = 1 << 30
_FEW, _BATCH = 20, 500
_FAILED = Path(".hypothesis") / "fuzz"  # what failed, tried first the next time


def fuzz(name: str, folder: Path) -> None:
    """Have a target read broken data: it reads or refuses all of it, in time and memory."""
    make, mutates = KINDS[name]
    whole, read = make(folder)
    read(whole)

    def reads_or_refuses(draw: object, mutate: object) -> None:
        data = mutate(draw, whole)  # type: ignore[operator]
        begun, before = time.monotonic(), peak_memory()
        with suppress(BonitoError, Refused):
            read(data)
        assert time.monotonic() - begun < _MOST_SECONDS
        assert peak_memory() - before < _MOST_MEMORY

    drawn = st.randoms(use_true_random=False), st.sampled_from(mutates)
    plain = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    if not SECONDS:
        few = settings(plain, derandomize=True, max_examples=_FEW)
        few(given(*drawn)(reads_or_refuses))()
        return
    kept = DirectoryBasedExampleDatabase(_FAILED / name.replace(" ", "-"))
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        more = settings(plain, derandomize=False, max_examples=_BATCH, database=kept)
        more(given(*drawn)(reads_or_refuses))()


def peak_memory() -> int:
    """Bytes that this process has taken at most; 0 where that is not known."""
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found << 10
