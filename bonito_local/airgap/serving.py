"""The child side of `bonito_local.bounded`: answers requests within bounds, without a network."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from bonito_local.airgap.confinement import confine
from bonito_local.airgap.gap import enter


def serve(answer: Callable[[dict[str, Any]], object], most_memory: int) -> None:
    """Answer one request a line, until the parent closes the pipe.

    No other program is started, and no file is opened but Python's own.
    """
    enter(programs=False)
    confine(most_memory, (), ())
    _say({})
    for line in sys.stdin.buffer:
        try:
            found: dict[str, object] = {"answer": answer(json.loads(line))}
        except RecursionError:
            found = {"refused": "it is nested too deeply"}
        except MemoryError:
            found = {"refused": "it takes too much memory"}
        _say(found)


def _say(found: dict[str, object]) -> None:
    sys.stdout.buffer.write(json.dumps(found).encode() + b"\n")
    sys.stdout.buffer.flush()
