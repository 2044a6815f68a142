"""Commands of the command line as child processes, for work that is not for this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from bonito_local.errors import BonitoError

Child = subprocess.Popen[str]


def run_command(*command: str, started: Callable[[Child], None] = lambda _: None) -> str:
    """Run a command to its end, and return what it printed. Call it in a thread.

    Raises:
        BonitoError: it failed, with its own title and remedy.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "bonito_local", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "COLUMNS": "76", "NO_COLOR": "1", "TERM": "dumb"},
    )
    started(child)
    printed, told = child.communicate()
    if child.returncode == 0:
        return printed
    lines = [line for line in told.splitlines() if line.strip()]
    at = next((at for at, line in enumerate(lines) if line.startswith("error: ")), None)
    if at is not None:
        raise BonitoError(lines[at].removeprefix("error: "), " ".join(lines[at + 1 :]))
    # A command may say what it found and fail for that, as verify does.
    return "\n".join([*lines, printed])
