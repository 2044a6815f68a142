"""How a job is: whether a process works on it, how far it is, how its samples ended.

Read from its database and its lock alone, so any process may look at any time; it takes
milliseconds, whatever the size of the job.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bonito_local.errors import BonitoError
from bonito_local.jobs.folder import is_running, log_path, store_path
from bonito_local.jobs.journal import Ended, Journal, Run, Wish
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.progress import Progress

if TYPE_CHECKING:
    from bonito_local.jobs.registry import Entry

State = Ended | Literal["new", "ready", "waiting", "running", "pausing", "cancelling", "crashed"]
AT_WORK: tuple[State, ...] = ("waiting", "running", "pausing", "cancelling")
_FATAL = "Fatal Python error: "


@dataclass(frozen=True, slots=True)
class JobState:
    """A job at one moment.

    `state` is "crashed" where its process died without a word, and "ready" where samples of
    a finished job are pending again. `why` says more where it failed or crashed. `progress`
    is what its worker last told, `age` seconds ago by the wall clock. `airgap` names what kept
    the last run from the network; empty where nothing did, None where that is not known.
    """

    output: Path
    state: State
    why: str
    run: Run | None
    ledger: Ledger
    passages: int
    progress: Progress | None
    age: float
    airgap: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A job on the user's list; `job` is None where it cannot be read, and `why` says why."""

    id: int
    output: Path
    job: JobState | None
    why: str = ""


def job_state(output: Path) -> JobState:
    """Look at the job in `output`.

    Raises:
        JobError: there is none, or its store cannot be used.
    """
    with closing(Journal(store_path(output), create=False)) as store:
        # The lock first: a run that ends meanwhile has then said so.
        running = is_running(output)
        run, ledger = store.last_run(), store.ledger()
        told = store.load("progress")
        passages, wish = store.passage_count(), store.wish()
        layers = store.load("airgap")
    at = told.pop("at") if told else 0.0
    progress = Progress(**told) if told else None
    state = _state(running, run, wish, progress, ledger)
    # The clock may have been set back meanwhile.
    age = max(0.0, time.time() - at) if told else 0.0
    held = None if layers is None else () if layers == "online" else tuple(layers)
    why = _why(output, state, run)
    return JobState(output, state, why, run, ledger, passages, progress, age, held)


def list_jobs() -> list[Listed]:
    """Every job on the user's list, by number."""
    from bonito_local.jobs.registry import Registry

    return [look_at(entry) for entry in Registry().entries()]


def look_at(entry: Entry) -> Listed:
    """One job of the list as it is now."""
    try:
        return Listed(entry.id, entry.output, job_state(entry.output))
    except BonitoError as error:
        return Listed(entry.id, entry.output, None, error.title)


def _state(
    running: bool, run: Run | None, wish: Wish | None, progress: Progress | None, ledger: Ledger
) -> State:
    if running:
        if wish is not None:
            return "pausing" if wish == "pause" else "cancelling"
        return "waiting" if progress and progress.phase == "waiting" else "running"
    if run is None:
        return "new"
    if run.state == "running":
        return "crashed"
    return "ready" if run.state == "finished" and ledger.pending else run.state


def _why(output: Path, state: State, run: Run | None) -> str:
    if run is None:
        return ""
    if state != "crashed":
        return f"{run.error} {run.remedy}".strip()
    fatal = _last_words(output) if run.detached else ""
    died = f"it crashed ({fatal})" if fatal else "it was killed, or its engine crashed"
    return f"Process {run.pid} ended without a word: {died}. What had finished is kept."


def _last_words(output: Path) -> str:
    """The fatal error that Python wrote to the log since the last run began, if any."""
    try:
        with log_path(output).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 20_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        if line.startswith(_FATAL):
            return line.removeprefix(_FATAL)
        if line.endswith("run begins"):
            break
    return ""
