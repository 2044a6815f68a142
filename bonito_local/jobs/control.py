"""What front ends do to a job that another process may be working on: look, pause, cancel, ...

A job is named by the folder it writes to. A wish (pause, cancel) is written to the job's
database, where its worker looks twice a second; that it has ended shows in its lock.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.folder import LOCK, check_own, is_running, log_path, open_job, store_path
from bonito_local.jobs.generation import Generation, from_json
from bonito_local.jobs.journal import Wish
from bonito_local.jobs.ledger import OUTCOMES, Outcome
from bonito_local.jobs.state import job_state
from bonito_local.jobs.store import Store
from bonito_local.passages import JOB_FOLDER

RETRYABLE: tuple[Outcome, ...] = tuple(name for name in OUTCOMES if name != "accepted")
_LOOK_SECONDS = 0.1
_LOCKS = Path("/proc/locks")


def read_request(output: Path) -> Generation:
    """What the job in `output` was last asked to make.

    Raises:
        JobError: there is no job, or it was never asked for anything.
    """
    with closing(Store(store_path(output), create=False)) as store:
        data = store.load("request")
    if data is None:
        raise JobError(
            f"The job in {output} does not say what it is to make.",
            "Run the command or the job file that made it: it goes on from there.",
        )
    # Whoever runs it does so in the folder that it was made in.
    return from_json(data, output.resolve())


def ask(output: Path, wish: Wish, seconds: float = 60.0) -> bool:
    """Ask the worker of a job to stop; return whether it has within `seconds`.

    What it had finished is kept, however long it takes. A worker that does not even hear that
    it is to be cancelled is killed then, on Linux.

    Raises:
        JobError: no process works on the job.
    """
    if not is_running(output):
        if wish == "cancel" and _settle_cancelled(output):
            return True
        raise JobError(f"No process works on the job in {output}.", "There is nothing to stop.")
    with closing(Store(store_path(output), create=False)) as store:
        store.save("wish", wish)
    deadline = time.monotonic() + seconds
    while is_running(output):
        if time.monotonic() >= deadline:
            return wish == "cancel" and seconds > 0 and _kill(output)
        time.sleep(_LOOK_SECONDS)
    return True


def _kill(output: Path) -> bool:
    """Kill the worker of a job, where it is sure which process that is, unless it is writing."""
    job = job_state(output)
    writing = job.progress is not None and job.progress.phase == "writing"
    if job.run is None or writing or not _holds(job.run.pid, output / JOB_FOLDER / LOCK):
        return False
    os.kill(job.run.pid, signal.SIGKILL)
    while is_running(output):
        time.sleep(_LOOK_SECONDS)
    return _settle_cancelled(output)


def _holds(process: int, lock: Path) -> bool:
    """Whether a process of this machine, by that number, holds the lock of a job.

    The system's list of locks says it: which files a process has open, it may keep to itself.
    """
    try:
        found = lock.stat()
        lines = _LOCKS.read_text().splitlines()
    except OSError:
        return False
    inode = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return any(line.split()[4:6] == [str(process), inode] for line in lines)


def _settle_cancelled(output: Path) -> bool:
    """Cancel a job that was paused, stopped or broke off; False for one that has finished."""
    with open_job(output) as store:
        run = store.last_run()
        if run is None or run.state in ("finished", "cancelled"):
            return False
        store.end_run(run.id, "cancelled")
    return True


def retry(output: Path, outcomes: Sequence[Outcome] = ("failed",)) -> int:
    """Make a job's samples that ended so pending again, for its next run; return how many.

    Raises:
        JobError: a process works on the job.
    """
    with open_job(output) as store:
        return store.ask_again(outcomes)


def read_log(output: Path) -> str:
    """What detached workers of a job said; empty if there were none."""
    check_own(output)
    try:
        return log_path(output).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise JobError(f"The log of {output} cannot be read: {error.strerror}.") from error
