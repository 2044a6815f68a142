"""A job in a process of its own, which outlives the terminal, the app or the shell it came from.

`start` starts one; as a program it is that process: python -m bonito_local.jobs.worker OUTPUT.
What it prints goes to the job's log and holds nothing of any passage.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir, closing
from pathlib import Path

from bonito_local.errors import BonitoError, JobError, writing
from bonito_local.jobs.folder import is_running, log_path, store_path
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.registry import Registry
from bonito_local.jobs.signals import StopSignals
from bonito_local.jobs.store import Store
from bonito_local.passages.ahead import stopped_by
from bonito_local.printable import one_line
from bonito_local.private import create

_WAIT = "Wait until it ends, or stop it with `bonito-local pause`."
_LINE_SECONDS = 60.0
_START_SECONDS = 60.0
_NICENESS = 10  # for days on end: who works on the machine meanwhile must not feel it


class _Child(subprocess.Popen[bytes]):
    def __del__(self) -> None:
        """Say nothing: unlike other children it is meant to run on."""


_children: list[_Child] = []  # To be reaped when they end before this process does.


def start(output: Path, *, again: bool = True) -> int:
    """Start a worker for the job in `output`; return its process id once it has the job.

    `again` has it look for new documents first. The job's request was saved before.

    Raises:
        JobError: the job runs already, or the worker ended at once.
    """
    if is_running(output):
        raise JobError(f"Another process is running the job in {output}.", _WAIT)
    Registry().add(output)
    before = _last_run(output)
    _children[:] = [child for child in _children if child.poll() is None]
    # -P: a module in the folder the user works in must not be taken for one of ours.
    command = [sys.executable, "-P", "-m", "bonito_local.jobs.worker", str(output.resolve())]
    with writing(f"The log of {output} cannot be written", "Free some space, and try again."):
        log = create(log_path(output), os.O_WRONLY | os.O_APPEND)
    try:
        child = _Child(
            [*command, "again"] if again else command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=_detached_flags(),
        )
    finally:
        os.close(log)
    _children.append(child)
    deadline = time.monotonic() + _START_SECONDS
    # Once its run is noted it hears wishes; those of before are not meant for it.
    while child.poll() is None and _last_run(output) == before:
        if time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    if child.poll():
        if is_running(output):  # two were started at the same moment
            raise JobError(f"Another process is running the job in {output}.", _WAIT)
        raise JobError(
            f"The worker of {output} ended at once.", f"Its log says why: {log_path(output)}"
        )
    return child.pid


def _last_run(output: Path) -> int:
    """The number of the job's newest run; 0 before its first."""
    with closing(Store(store_path(output), create=False)) as store:
        run = store.last_run()
    return run.id if run else 0


def _detached_flags() -> int:
    if sys.platform == "win32":
        own = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        return own | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0


def _give_way() -> None:
    """Take the processor only where nothing else wants it; Windows was told at the start."""
    if sys.platform != "win32":
        os.nice(_NICENESS)


def main(output: Path, again: bool) -> int:
    """Work on the job in `output` until it ends; return the exit status."""
    from bonito_local.jobs.control import read_request
    from bonito_local.jobs.engine import give_up_network
    from bonito_local.jobs.generate import Front, generate

    _give_way()
    # An engine that crashes leaves its last words in the log.
    faulthandler.enable()
    _say("run begins")
    try:
        wanted = read_request(output)
        # Before any document is read, while the process has one thread.
        _say(f"air gap: {give_up_network(wanted)}")
        with StopSignals() as signals, chdir(wanted.folder or Path()):
            shown = _Log(signals)
            front = Front(
                shown.show, _say, signals.stop, interrupt, _say, again=again, detached=True
            )
            with stopped_by(signals.stop):
                summary = generate(wanted, front)
    except BonitoError as error:
        _say(f"failed: {error}")
        return error.exit_code
    counts = summary.ledger.as_json()["outcomes"]
    told = ", ".join(f"{number} {name}" for name, number in counts.items())
    _say(f"{summary.ended}: {told}; {summary.rows} rows")
    return 0


def interrupt() -> None:
    """Interrupt the main thread of this process, as a signal from outside would."""
    signal.raise_signal(signal.SIGTERM)


class _Log:
    """A line when a phase begins, and one a minute."""

    def __init__(self, signals: StopSignals) -> None:
        self._signals = signals
        self._phase = ""
        self._next = 0.0

    def show(self, progress: Progress) -> None:
        # A loader or reader that calls back into Python must not be cut in two.
        self._signals.interrupts = progress.phase == "generating"
        now = time.monotonic()
        if progress.phase == self._phase and now < self._next:
            return
        self._phase, self._next = progress.phase, now + _LINE_SECONDS
        count = f" {progress.done}/{progress.planned}" if progress.planned else ""
        _say(f"{progress.phase}{count} {progress.note}".strip())


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {one_line(text)}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), "again" in sys.argv[2:]))
