"""An engine that hangs: its process ends all the same, and what had finished is kept."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bonito_local.backends.base import Sampling
from bonito_local.jobs.control import ask, read_log
from bonito_local.jobs.folder import is_running, store_path
from bonito_local.jobs.generate import prepare
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.state import JobState, job_state
from bonito_local.jobs.store import Store
from bonito_local.jobs.worker import start
from bonito_local.tasks import task_type

DRAWN = 30
Ends = dict[int, tuple[str, str]]


@pytest.fixture
def job(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Generation:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    text = "Rent is due on day 3 of each month, says clause 9 of the lease of the house."
    (tmp_path / "lease.txt").write_text(text)
    wanted = Generation(
        (Path("lease.txt"),),
        (task_type("ynqa"),),
        tmp_path / "out",
        str(tiny_gguf),
        sampling=Sampling(n=50, max_tokens=16, temperature=1.0),
        guided=True,
        folder=tmp_path,
    )
    prepare(wanted)
    return wanted


@contextmanager
def hung(job: Generation, *, holding: bool = False, grace: float = 1.0) -> Iterator[int]:
    """The process id of a worker that hangs."""
    mark = job.output / ".job" / "hangs"
    script = Path(__file__).with_name("hung_job.py")
    command = [sys.executable, str(script), str(job.output), str(int(holding)), str(grace)]
    with (job.output / ".job" / "log").open("ab") as log:
        process = subprocess.Popen([*command, str(mark)], stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            assert process.poll() is None, read_log(job.output)
            time.sleep(0.05)
        assert is_running(job.output)
        yield process.pid
    finally:
        process.kill()
        process.wait()


def ends(output: Path) -> Ends:
    with closing(Store(store_path(output), create=False)) as store:
        rows = store._db.execute(
            "SELECT id, outcome, coalesce(completion, '') FROM samples WHERE outcome != 'pending'"
        ).fetchall()
    return {key: (outcome, text) for key, outcome, text in rows}


def gone(output: Path, seconds: float = 20.0) -> JobState:
    deadline = time.monotonic() + seconds
    while is_running(output) and time.monotonic() < deadline:
        time.sleep(0.05)
    return job_state(output)


def goes_on(job: Generation, kept: Ends) -> None:
    """The next run ends, with what had finished as it was."""
    start(job.output, again=False)
    deadline = time.monotonic() + 60
    while job_state(job.output).state != "finished" and time.monotonic() < deadline:
        time.sleep(0.05)
    after = ends(job.output)
    assert len(after) == job_state(job.output).ledger.planned > len(kept)
    assert {key: after[key] for key in kept} == kept


def test_a_worker_ends_itself_when_its_engine_does_not_let_go(job: Generation) -> None:
    with hung(job):
        kept = ends(job.output)
        assert len(kept) == DRAWN
        assert ask(job.output, "cancel", seconds=20)
        state = job_state(job.output)
        assert state.state == "cancelled"
        assert state.why.startswith("The engine did not stop within 1 s")
        assert "The engine did not stop" in read_log(job.output)
        assert ends(job.output) == kept
    goes_on(job, kept)
    assert job_state(job.output).why == ""


def test_a_signal_that_the_engine_does_not_let_through_is_heard(job: Generation) -> None:
    with hung(job) as pid:
        kept = ends(job.output)
        os.kill(pid, signal.SIGTERM)
        assert gone(job.output).state == "stopped"
        assert ends(job.output) == kept


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is not sure which process it is")
def test_a_worker_that_hears_nothing_is_killed_when_it_is_cancelled(job: Generation) -> None:
    with hung(job, holding=True):
        kept = ends(job.output)
        assert not ask(job.output, "pause", seconds=2)
        assert is_running(job.output)
        assert not ask(job.output, "cancel", seconds=0)
        assert is_running(job.output)
        assert ask(job.output, "cancel", seconds=1)
        assert job_state(job.output).state == "cancelled"
        assert ends(job.output) == kept
    goes_on(job, kept)


def test_only_the_process_that_has_the_store_open_is_killed(
    job: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number in the store may be another process's by now."""
    with hung(job, holding=True), subprocess.Popen(["sleep", "60"]) as other:
        with closing(Store(store_path(job.output), create=False)) as store, store.transaction():
            store._db.execute("UPDATE runs SET pid = ?", (other.pid,))
        assert not ask(job.output, "cancel", seconds=1)
        assert other.poll() is None
        other.kill()
