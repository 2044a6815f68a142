"""Jobs in worker processes, looked at and stopped from this one; the engine is llama.cpp."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bonito_local.backends.base import Sampling
from bonito_local.errors import JobError, OtherSettingsError, UsageError
from bonito_local.jobs import planning
from bonito_local.jobs.control import ask, read_log, read_request, retry
from bonito_local.jobs.find import find_job
from bonito_local.jobs.folder import is_running, open_job, store_path
from bonito_local.jobs.generate import Front, generate, prepare
from bonito_local.jobs.generation import Generation, as_json
from bonito_local.jobs.registry import Registry
from bonito_local.jobs.removal import purge, remove
from bonito_local.jobs.state import JobState, State, job_state, list_jobs
from bonito_local.jobs.worker import start
from bonito_local.passages.reader import passages_of
from bonito_local.tasks import task_type

SECRET = "The xylophone contract names a tenant."


@pytest.fixture
def job(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Generation]:
    """A job of 960 samples and more; its worker is stopped at the end."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    documents = tmp_path / "documents"
    documents.mkdir()
    for at in range(40):
        text = f"{SECRET} Its clause {at} says that rent is due on day {at} of each month."
        (documents / f"{at}.txt").write_text(text)
    yield Generation(
        (Path("documents"),),
        (task_type("exqa"), task_type("ynqa")),
        tmp_path / "out",
        str(tiny_gguf),
        sampling=Sampling(n=12, max_tokens=24, temperature=1.0),
        guided=True,
        folder=tmp_path,
    )
    if store_path(tmp_path / "out").exists() and is_running(tmp_path / "out"):
        run = job_state(tmp_path / "out").run
        assert run is not None
        os.kill(run.pid, signal.SIGKILL)
        wait(tmp_path / "out", "crashed")


@pytest.fixture
def small(job: Generation, monkeypatch: pytest.MonkeyPatch) -> Generation:
    """The same, of few rows, by the fake engine, in this process."""
    monkeypatch.chdir(job.output.parent)
    return replace(job, backend="fake", guided=False, sampling=Sampling(n=2), limit=9)


def wait(output: Path, *states: State, done: int = 0) -> JobState:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        state = job_state(output)
        if state.state in states and state.ledger.planned - state.ledger.pending >= done:
            return state
        time.sleep(0.02)
    raise AssertionError(f"{state}\n{read_log(output)}")


def test_a_worker_is_paused_resumed_and_finishes(
    job: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(job.output.parent)
    prepare(job)
    pid = start(job.output)
    assert pid != os.getpid()
    running = wait(job.output, "running", done=1)
    assert running.run is not None
    assert (running.run.pid, running.run.detached) == (pid, True)
    assert os.getsid(pid) == pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.nice(0) + 10)
    with pytest.raises(JobError, match="Another process is running"):
        start(job.output)
    assert ask(job.output, "pause")
    paused = job_state(job.output)
    assert paused.state == "paused"
    assert 0 < paused.ledger.pending < paused.ledger.planned
    rows = (job.output / "rows.jsonl").read_text().splitlines()
    assert len(rows) == paused.ledger.accepted
    start(job.output, again=False)
    finished = wait(job.output, "finished")
    assert (finished.ledger.planned, finished.ledger.pending) == (paused.ledger.planned, 0)
    assert set(rows) <= set((job.output / "rows.jsonl").read_text().splitlines())
    deadline = time.monotonic() + 30
    while "finished: " not in read_log(job.output):  # said after the state is kept
        assert time.monotonic() < deadline
        time.sleep(0.02)
    log = read_log(job.output)
    assert "paused: " in log
    assert "xylophone" not in log
    assert (job.output / ".job" / "log").stat().st_mode & 0o777 == 0o600


def test_a_worker_that_has_only_started_hears_a_wish(
    job: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(job.output.parent)
    prepare(job)
    start(job.output)
    assert ask(job.output, "pause")
    assert job_state(job.output).state == "paused"


def test_progress_is_seen_from_here(job: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.output.parent)
    prepare(job)
    start(job.output)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        progress = wait(job.output, "running").progress
        if progress and progress.done > progress.earlier:
            break
        time.sleep(0.02)
    assert progress is not None
    assert progress.phase in ("generating", "writing")
    if progress.phase == "generating":
        assert progress.tokens_per_second[1] > 0
        assert progress.seconds_left is not None
    assert job_state(job.output).age < 60
    assert ask(job.output, "cancel")
    assert job_state(job.output).state == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_said_to_have(
    job: Generation, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.chdir(job.output.parent)
    prepare(job)
    pid = start(job.output)
    wait(job.output, "running", done=1)
    os.kill(pid, number)
    crashed = wait(job.output, "crashed")
    assert f"Process {pid} ended without a word" in crashed.why
    assert ("Segmentation fault" in crashed.why) == (number == signal.SIGSEGV)
    with pytest.raises(JobError, match="No process works"):
        ask(job.output, "pause")
    start(job.output, again=False)
    finished = wait(job.output, "finished")
    assert finished.ledger.planned == crashed.ledger.planned


def test_sigterm_stops_it(job: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(job.output.parent)
    prepare(job)
    pid = start(job.output)
    wait(job.output, "running", done=1)
    os.kill(pid, signal.SIGTERM)
    stopped = wait(job.output, "stopped", "finished")
    assert len((job.output / "rows.jsonl").read_text().splitlines()) == stopped.ledger.accepted


def test_a_worker_that_cannot_run_says_why(small: Generation) -> None:
    prepare(small)
    broken = replace(small, passage_tokens=99_999)
    with open_job(small.output) as store:
        store.save("request", as_json(broken))
    with suppress(JobError):  # It may have ended before it was seen to begin.
        start(small.output)
    failed = wait(small.output, "failed")
    assert "Passages of 99999 tokens do not fit" in failed.why
    assert "do not fit" in read_log(small.output)


def test_what_cannot_be_is_refused_before_a_worker_starts(small: Generation) -> None:
    generate(small)
    before = read_request(small.output)
    with pytest.raises(OtherSettingsError, match=r"temperature 0\.5 -> 0\.9"):
        prepare(replace(small, sampling=Sampling(n=2, temperature=0.9)))
    with pytest.raises(OtherSettingsError, match="backend"):
        prepare(replace(small, backend="llamacpp"))
    with pytest.raises(UsageError, match="does not exist"):
        prepare(replace(small, paths=(Path("gone"),)))
    with pytest.raises(OtherSettingsError):
        generate(replace(small, sampling=Sampling(n=2, seed=1)))
    assert read_request(small.output) == before
    state = job_state(small.output)
    assert state.state == "finished"


def test_retrying_keeps_what_was_and_adds_up(small: Generation) -> None:
    generate(small)
    path = store_path(small.output)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE samples SET outcome = 'failed', digest = NULL WHERE id % 4 = 0")
    db.execute(
        "UPDATE samples SET outcome = 'rejected', reason = 'bad', digest = NULL WHERE id % 4 = 1"
    )
    before = job_state(small.output).ledger
    failed, rejected = before.total("failed"), before.total("rejected")
    assert failed > 1
    assert rejected > 1
    assert retry(small.output) == failed
    ready = job_state(small.output)
    assert (ready.state, ready.ledger.pending, ready.ledger.total("failed")) == ("ready", failed, 0)
    assert retry(small.output, ["rejected"]) == rejected
    # Others than those above were rejected by the checks, for reasons of their own.
    kept = db.execute("SELECT outcome, count(*), sum(completion != '') FROM earlier"
                      " GROUP BY 1 ORDER BY 1").fetchall()  # fmt: skip
    assert kept == [("failed", failed, failed), ("rejected", rejected, rejected)]
    attempts = db.execute("SELECT attempt, count(*) FROM samples WHERE outcome = 'pending'"
                          " GROUP BY 1").fetchall()  # fmt: skip
    assert attempts == [(0, failed), (1, rejected)]
    db.close()
    summary = generate(small)
    assert summary.ledger.planned == before.planned
    assert (summary.ledger.pending, summary.ledger.total("failed")) == (0, 0)


def test_documents_are_read_once_and_resume_needs_them_no_more(
    small: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(small, limit=None)
    documents = Path("documents")
    (documents / "bad.pdf").write_bytes(b"%PDF-1.7\nbroken")
    first = generate(small)
    read: list[str] = []

    def reading(document, *rest):  # type: ignore[no-untyped-def]
        read.append(document.source)
        return passages_of(document, *rest)

    monkeypatch.setattr(planning, "passages_of", reading)
    (documents / "3.txt").write_text("Another text stands in this document from now on, and more.")
    (documents / "new.txt").write_text("A new document says that the tenant may leave in May.")
    second = generate(small)
    # What could not be read may have been mended: it is tried again.
    assert sorted(map(os.path.basename, read)) == ["3.txt", "bad.pdf", "new.txt"]
    assert second.ledger.planned == first.ledger.planned + 2 * 2 * 2
    assert [p.source for p in second.problems] == [p.source for p in first.problems]
    read.clear()
    for path in documents.iterdir():
        path.unlink()
    documents.rmdir()
    third = generate(small, Front(again=False))
    assert read == []
    assert (third.ledger, third.rows) == (second.ledger, second.rows)


def test_a_job_is_found_by_number_folder_and_file(
    small: Generation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(small)
    file = tmp_path / "job.toml"
    file.write_text('documents = ["documents"]\noutput = "out"\ntasks = ["qa"]\n')
    assert find_job("1") == find_job(str(file)) == find_job(str(small.output)) == small.output
    for name in ("2", str(tmp_path), "nowhere"):
        with pytest.raises(UsageError, match="There is no job"):
            find_job(name)
    (listed,) = list_jobs()
    assert (listed.id, listed.output) == (1, small.output)
    assert listed.job is not None
    assert listed.job.state == "finished"
    small.output.rename(tmp_path / "moved")
    (listed,) = list_jobs()
    assert listed.job is None
    assert "There is no job in" in listed.why


def test_cancelling_a_job_that_was_paused_settles_it(small: Generation) -> None:
    assert generate(small, Front(stop=lambda: True)).ended == "stopped"
    assert ask(small.output, "cancel")
    assert job_state(small.output).state == "cancelled"
    with pytest.raises(JobError, match="No process works"):
        ask(small.output, "cancel")


def test_removing_leaves_the_files(small: Generation) -> None:
    generate(small)
    remove(small.output)
    assert Registry().entries() == []
    assert job_state(small.output).state == "finished"


def test_purging_leaves_nothing_of_ours_and_all_of_the_user_s(small: Generation) -> None:
    generate(small)
    store = store_path(small.output)
    assert SECRET.encode() in store.read_bytes()
    inode = os.open(store, os.O_RDONLY)  # What the disk holds of a file that is gone.
    mine = small.output / "mine.txt"
    mine.write_text("mine")
    deleted = purge(small.output)
    assert store in deleted
    assert small.output / "data" / "train.parquet" in deleted
    held = os.read(inode, 10_000_000)
    os.close(inode)
    assert held.strip(b"\0") == b""
    assert list(small.output.iterdir()) == [mine]
    assert Registry().entries() == []
    mine.unlink()
    assert (small.output.parent / "documents" / "0.txt").exists()


def test_purging_a_damaged_job_and_not_one_that_runs(small: Generation) -> None:
    generate(small)
    with open_job(small.output), pytest.raises(JobError, match="is running"):
        purge(small.output)
    store_path(small.output).write_bytes(b"noise" * 999)
    purge(small.output)
    assert not small.output.exists()
