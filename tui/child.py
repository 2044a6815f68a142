"""Commands of the command line as child processes, for work that is not for this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from threading import Thread

from bonito_local.child import ended_by
from bonito_local.errors import BonitoError

Child = subprocess.Popen[str]


def run_command(
    *command: str,
    started: Callable[[Child], None] = lambda _: None,
    told: Callable[[str], None] = lambda _: None,
) -> str:
    """Run a command to its end, and return what it printed. Call it in a thread.

    `told` gets each line that it says meanwhile, on stderr.

    Raises:
        BonitoError: it failed, with its own title and remedy, or was ended by a signal.
    """
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "bonito_local", *command],  # -P: as in `bonito_local.child`
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "COLUMNS": "76", "NO_COLOR": "1", "TERM": "dumb"},
    ) as child:
        started(child)
        listening = Thread(target=lambda: _listen(child, lines, told))
        listening.start()
        printed = child.stdout.read() if child.stdout else ""
        listening.join()
    if crash := ended_by(child.returncode):
        raise BonitoError(
            f"`{command[0]}` was ended by the system ({crash}).",
            "Memory may have run out: close other programs, and do it again.",
        )
    if child.returncode == 0:
        return printed
    at = next((at for at, line in enumerate(lines) if line.startswith("error: ")), None)
    if at is not None:
        raise BonitoError(lines[at].removeprefix("error: "), " ".join(lines[at + 1 :]))
    # A command may say what it found and fail for that, as verify does.
    return "\n".join([*lines, printed])


def _listen(child: Child, lines: list[str], told: Callable[[str], None]) -> None:
    for line in child.stderr or ():
        if line.strip():
            lines.append(line.rstrip())
            told(lines[-1])
