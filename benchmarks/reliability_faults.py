"""Faults, each injected into a real job: what the user is told, and that nothing is lost.

    PYTHONPATH=tests python benchmarks/reliability.py faults [NAME...]

Needs Linux and `unshare`: full and read-only disks are small file systems in a mount namespace.
Every job is drawn by llama.cpp from a small model with random weights. After each fault
the job goes on, and must end with every sample once, what had ended unchanged.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from reliability import Held, look, write_rows
from tiny_model import write_tiny_gguf

from bonito_local.errors import BonitoError
from bonito_local.jobs.folder import is_running, store_path
from bonito_local.jobs.state import job_state

PROGRAM = [sys.executable, "-m", "bonito_local"]


class Job:
    """A job in a folder of its own, with what it takes to break it and to mend it."""

    def __init__(self, folder: Path, model: Path, rows: int = 60) -> None:
        folder.mkdir(mode=0o700)
        self.folder, self.out = folder, folder / "out"
        self.model = Path(shutil.copy(model, folder / "model.gguf"))
        self.documents = folder / "documents"
        self.documents.mkdir()
        write_rows(self.documents / "rows.jsonl", rows, seed=rows)
        self.file = folder / "job.toml"
        self.write()
        self.held = Held()

    def write(self, extra: str = "", sampling: str = "temperature = 1.0") -> None:
        self.file.write_text(
            'documents = ["documents"]\noutput = "out"\ntasks = ["exqa", "ynqa"]\n'
            f'model = "model.gguf"\nguided = true\n{extra}\n'
            f"[sampling]\nn = 2\nmax_tokens = 24\n{sampling}\n"
            # A model with random weights asks nothing.
            '[checks]\nskip = ["asks nothing"]\n'
        )

    def run(self, *args: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
        """The command line to its end: status and what it said of errors and warnings."""
        command = [*PROGRAM, *(args or ("run", str(self.file)))]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | (environ or {}), check=False
        )
        lines = [line for line in done.stderr.splitlines() if "generating" not in line]
        lines = [line for line in lines if line.startswith(("error:", "warning:"))]
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, " ".join(lines)

    def begin(self, phase: str = "generating", **options: object) -> subprocess.Popen[bytes]:
        """The command line, in a session of its own, up to a phase of its work."""
        process = subprocess.Popen(
            [*PROGRAM, "run", str(self.file)],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "stderr").open("wb"),
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
        self.reach(phase, process)
        return process

    def detach(self) -> int:
        """A detached worker; its process id."""
        code, said = self.run("run", str(self.file), "--detach")
        assert code == 0, said
        self.reach("generating")
        run = job_state(self.out).run
        assert run is not None
        return run.pid

    def reach(self, phase: str, process: subprocess.Popen[bytes] | None = None) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (process is None or process.poll() is None):
            if store_path(self.out).exists() and is_running(self.out):
                state = job_state(self.out)
                done = state.ledger.planned - state.ledger.pending
                ready = done > 0 if phase == "generating" else True
                if phase == "opening" and state.state == "running" and not done:
                    return
                if state.progress and state.progress.phase == phase and ready:
                    return
            time.sleep(0.02)
        raise AssertionError(f"{phase} was not reached: {(self.folder / 'stderr').read_text()}")

    def said(self) -> str:
        lines = (self.folder / "stderr").read_text().splitlines()
        return " ".join(line for line in lines if line.startswith(("error:", "Stopped", "Paused")))

    def hold(self) -> None:
        """Remember what is committed: it must still be there at the end."""
        deadline = time.monotonic() + 30
        while is_running(self.out) and time.monotonic() < deadline:
            time.sleep(0.05)
        with closing(sqlite3.connect(store_path(self.out))) as db:
            begun = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'live'").fetchone()
        self.held = look(self.out) if begun else Held()

    def mend(self, *args: str) -> str:
        """Go on to the end, and see that every sample is there once and unchanged."""
        code, said = self.run(*(args or ("resume", str(self.out))))
        assert code == 0, said
        now, state = look(self.out), job_state(self.out)
        assert (state.state, state.ledger.pending) == ("finished", 0), state
        assert self.held.planned <= now.planned
        assert all(now.ended[key] == end for key, end in self.held.ended.items())
        lines = (self.out / "rows.jsonl").read_text().splitlines()
        assert len(lines) == len(set(lines)) == state.ledger.accepted > 0
        return f"{len(self.held.ended)} of {len(now.planned)} kept, then all"


Fault = Callable[[Job], str]
FAULTS: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    def add(run: Fault) -> Fault:
        FAULTS[name] = run
        return run

    return add


def _state(job: Job) -> str:
    state = job_state(job.out)
    return f"{state.state}: {state.why}" if state.why else str(state.state)


def _signalled(number: signal.Signals, phase: str) -> Fault:
    def run(job: Job) -> str:
        process = job.begin(phase)
        process.send_signal(number)
        process.wait()
        job.hold()
        return job.said() or _state(job)

    return run


FAULTS["kill -9 before a row is drawn"] = _signalled(signal.SIGKILL, "opening")
FAULTS["kill -9 while generating"] = _signalled(signal.SIGKILL, "generating")
FAULTS["SIGTERM"] = _signalled(signal.SIGTERM, "generating")
FAULTS["Ctrl-C"] = _signalled(signal.SIGINT, "generating")
FAULTS["the terminal closes (SIGHUP), in the foreground"] = _signalled(signal.SIGHUP, "generating")


@fault("Ctrl-C twice")
def _twice(job: Job) -> str:
    process = job.begin()
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    job.hold()
    return job.said() or _state(job)


def _crash(number: signal.Signals) -> Fault:
    def run(job: Job) -> str:
        os.kill(job.detach(), number)
        job.hold()
        return _state(job)

    return run


FAULTS["the engine segfaults (detached)"] = _crash(signal.SIGSEGV)
FAULTS["the engine aborts, as at a failed assertion (detached)"] = _crash(signal.SIGABRT)
FAULTS["kill -9, as the system does when memory runs out (detached)"] = _crash(signal.SIGKILL)


@fault("the worker hangs, whole (SIGSTOP), and is cancelled (detached)")
def _frozen(job: Job) -> str:
    os.kill(job.detach(), signal.SIGSTOP)
    code, said = job.run("cancel", str(job.out))
    assert code == 0, said
    job.hold()
    return _state(job)


@fault("the terminal closes, detached")
def _hangup(job: Job) -> str:
    shell = subprocess.Popen(
        [*PROGRAM, "run", str(job.file), "--detach"],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    shell.wait()
    job.reach("generating")
    with suppress(ProcessLookupError):  # Unless nobody is left in the terminal's session.
        os.killpg(shell.pid, signal.SIGHUP)
    time.sleep(0.3)
    told = _state(job)
    assert told == "running"
    assert job.run("pause", str(job.out))[0] == 0
    job.hold()
    return f"goes on ({told}), then paused"


@fault("no memory for the model")
def _memory(job: Job) -> str:
    command = f"ulimit -v 480000; exec {' '.join(PROGRAM)} run {job.file}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return next((x for x in done.stderr.splitlines() if x.startswith("error:")), _state(job))


def _small_disk(job: Job, kilobytes: int) -> None:
    job.out.mkdir()
    options = f"size={kilobytes}k,mode=700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", job.out], check=True)


def _full(kilobytes: int) -> Fault:
    def run(job: Job) -> str:
        _small_disk(job, kilobytes)
        code, said = job.run()
        assert code == 1, (code, said)
        subprocess.run(["mount", "-o", "remount,size=64m", job.out], check=True)
        job.hold()
        return said

    return run


FAULTS["the disk is full from the start"] = _full(64)
FAULTS["the disk gets full while documents are read"] = _full(400)
FAULTS["the disk gets full while generating"] = _full(900)


@fault("the disk gets full while the dataset is written")
def _full_at_end(job: Job) -> str:
    _small_disk(job, 64_000)
    assert job.run()[0] == 0
    job.hold()
    with (job.out / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    os.truncate(job.out / "filler", (job.out / "filler").stat().st_size - 160_000)
    code, said = job.run()
    assert code == 1, (code, said)
    (job.out / "filler").unlink()
    return said


@fault("the disk is read-only")
def _read_only(job: Job) -> str:
    _small_disk(job, 64_000)
    process = job.begin()
    process.kill()
    process.wait()
    job.hold()
    subprocess.run(["mount", "-o", "remount,ro", job.out], check=True)
    code, said = job.run()
    assert code == 1, (code, said)
    subprocess.run(["mount", "-o", "remount,rw", job.out], check=True)
    return said


@fault("another program locks the store")
def _locked(job: Job) -> str:
    process = job.begin()
    process.kill()
    process.wait()
    job.hold()
    with closing(sqlite3.connect(store_path(job.out), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        code, said = job.run()
    assert code == 1, (code, said)
    return said


@fault("another program locks the store for 5 s while generating")
def _locked_while(job: Job) -> str:
    process = job.begin()
    with closing(sqlite3.connect(store_path(job.out), isolation_level=None, timeout=10)) as db:
        db.execute("BEGIN IMMEDIATE")
        time.sleep(5)
        db.execute("ROLLBACK")
    assert process.wait() == 0, job.said()
    job.hold()
    return "goes on"


def _damaged(damage: Callable[[Path], None]) -> Fault:
    def run(job: Job) -> str:
        assert job.run()[0] == 0
        rows = (job.out / "rows.jsonl").read_bytes()
        whole = store_path(job.out).read_bytes()
        damage(store_path(job.out))
        code, said = job.run()
        assert code == 1, (code, said)
        assert (job.out / "rows.jsonl").read_bytes() == rows, "the dataset was touched"
        for path in store_path(job.out).parent.glob("store.sqlite*"):
            path.unlink()
        store_path(job.out).write_bytes(whole)  # As from a backup.
        job.hold()
        return said

    return run


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(0).randbytes(path.stat().st_size // 2))


FAULTS["the store is overwritten with noise"] = _damaged(_overwrite)
FAULTS["the store is cut off"] = _damaged(lambda p: os.truncate(p, p.stat().st_size // 3))
FAULTS["the store is another file"] = _damaged(
    lambda p: p.write_bytes(b"no database" * 999) and None
)
FAULTS["the store is gone"] = _damaged(lambda p: p.unlink())


@fault("power cut: the log of the database ends anywhere")
def _power(job: Job) -> str:
    chance, checked = random.Random(0), 0
    process = job.begin()
    process.kill()
    process.wait()
    whole = look_copy(job, None)
    size = store_path(job.out).with_name("store.sqlite-wal").stat().st_size
    for _ in range(20):
        part = look_copy(job, chance.randrange(size))
        assert part.planned <= whole.planned
        assert all(whole.ended[key] == end for key, end in part.ended.items())
        checked += 1
    job.hold()
    return f"{checked} cuts: each leaves whole commits, up to the cut"


def look_copy(job: Job, cut: int | None) -> Held:
    """What a copy of the store holds whose write-ahead log is cut off."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "out"
        shutil.copytree(job.out, copy)
        if cut is not None:
            os.truncate(store_path(copy).with_name("store.sqlite-wal"), cut)
        with closing(sqlite3.connect(store_path(copy))) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        return look(copy) if "counts" in tables else Held()


@fault("two processes on one job")
def _two(job: Job) -> str:
    write_rows(job.documents / "rows.jsonl", 400)  # Not done before the second has begun.
    process = job.begin()
    code, said = job.run()
    assert code == 1, said
    assert process.wait() == 0
    job.hold()
    return said


@fault("ten processes start one job at once")
def _ten(job: Job) -> str:
    command = [*PROGRAM, "run", str(job.file)]
    ten = [subprocess.Popen(command, stdout=-3, stderr=-3) for _ in range(10)]
    codes = [process.wait() for process in ten]
    assert codes.count(0) >= 1
    assert set(codes) <= {0, 1}, codes
    job.hold()
    return f"{codes.count(0)} ran, {codes.count(1)} were refused"


@fault("the job ahead in the queue is killed")
def _queue(job: Job) -> str:
    ahead = Job(job.folder / "ahead", job.model, rows=900)
    first = ahead.begin()
    second = job.begin("waiting")
    first.kill()
    first.wait()
    assert second.wait() == 0, job.said()
    job.hold()
    return "the next one takes its turn"


@fault("a job that waits in the queue is killed")
def _waiter(job: Job) -> str:
    ahead = Job(job.folder / "ahead", job.model, rows=900)
    first = ahead.begin()
    other = Job(job.folder / "other", job.model)
    second = other.begin("waiting")
    third = job.begin("waiting")
    second.kill()
    second.wait()
    first.kill()
    first.wait()
    assert third.wait() == 0, job.said()
    job.hold()
    return "it is passed over"


def _clock(seconds: int) -> Fault:
    def run(job: Job) -> str:
        code = (
            "import sys, time\nreal, began = time.time, time.monotonic()\n"
            f"time.time = lambda: real() + ({seconds} if time.monotonic() - began > 1 else 0)\n"
            "from bonito_local.cli.main import run\nsys.exit(run(sys.argv[1:]))\n"
        )
        command = [sys.executable, "-c", code, "run", str(job.file)]
        assert subprocess.run(command, stdout=-3, stderr=-3, check=False).returncode == 0
        job.hold()
        return f"goes on; {_state(job)}"

    return run


FAULTS["the clock is set back a day"] = _clock(-86400)
FAULTS["the clock is set forward ten years"] = _clock(315_360_000)


@fault("a document is deleted before the job goes on")
def _deleted(job: Job) -> str:
    process = job.begin()
    process.kill()
    process.wait()
    job.hold()
    shutil.rmtree(job.documents)
    return "resume needs it no more"


@fault("a document changes before the job goes on")
def _changed(job: Job) -> str:
    assert job.run()[0] == 0
    job.hold()
    write_rows(job.documents / "rows.jsonl", 61, seed=60)
    code, said = job.run()
    assert code == 0, said
    added = len(look(job.out).planned) - len(job.held.planned)
    assert added > 0
    return f"{added} samples of its new text are added"


@fault("the model file is replaced by another")
def _model(job: Job) -> str:
    assert job.run()[0] == 0
    job.hold()
    kept = job.model.read_bytes()
    write_tiny_gguf(job.model, seed=7, metadata={"bonito.passage_tokens": 64})
    code, said = job.run()
    assert code == 1, said
    job.model.write_bytes(kept)
    return said


@fault("the sampling in the job file is changed")
def _sampling(job: Job) -> str:
    assert job.run()[0] == 0
    job.hold()
    job.write(sampling="temperature = 0.2")
    code, said = job.run()
    assert code == 1, said
    return said


@fault("the job file has a mistake")
def _mistake(job: Job) -> str:
    job.write(extra="tempurature = 1")
    code, said = job.run()
    assert code == 2, said
    job.write()
    job.run()
    job.hold()
    return said.replace(str(job.folder), "")


@fault("the list of jobs is damaged")
def _list(job: Job) -> str:
    state = Path(os.environ["XDG_STATE_HOME"]) / "bonito-local" / "jobs.sqlite"
    state.write_bytes(b"noise" * 999)
    code, said = job.run()
    assert code == 0, said
    state.unlink()
    job.hold()
    return said


@fault("the folder of the job is moved")
def _moved(job: Job) -> str:
    process = job.begin()
    process.kill()
    process.wait()
    job.hold()
    job.folder.rename(job.folder.with_name("moved"))
    moved = job.folder.with_name("moved")
    job.folder, job.out, job.file = moved, moved / "out", moved / "job.toml"
    code, said = job.run("run", str(job.file))
    assert code == 0, said
    return "run goes on from the new place"


@fault("the store is of a newer version")
def _newer(job: Job) -> str:
    assert job.run()[0] == 0
    job.hold()
    with closing(sqlite3.connect(store_path(job.out), isolation_level=None)) as db:
        db.execute("INSERT INTO migrations VALUES ('9999_future', '')")
        code, said = job.run()
        db.execute("DELETE FROM migrations WHERE name = '9999_future'")
    assert code == 1, said
    return said


def main(names: list[str]) -> None:
    if "BONITO_FAULTS" not in os.environ:
        os.environ["BONITO_FAULTS"] = "inside"
        os.execvp("unshare", ["unshare", "-rm", sys.executable, *sys.argv])
    done = failed = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        folder = Path(temporary)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        model = write_tiny_gguf(folder / "tiny.gguf", metadata={"bonito.passage_tokens": 64})
        print("| fault | what the user is told | then |\n|---|---|---|", flush=True)
        for at, (name, inject) in enumerate(FAULTS.items()):
            if not name.startswith(tuple(names) or ""):
                continue
            job, done = Job(folder / f"job{at}", model), done + 1
            try:
                told = inject(job).replace(str(job.folder), "JOB").replace("|", "/")
                unplanned = name in ("no memory for the model", "the disk is full from the start")
                again = ("run", str(job.file)) if unplanned else ()
                print(f"| {name} | {told} | {job.mend(*again)} |", flush=True)
            except (AssertionError, BonitoError, OSError, sqlite3.Error) as error:
                failed += 1
                print(f"| {name} | FAILED | {error} |", flush=True)
                traceback.print_exc()
            subprocess.run(["umount", job.out], check=False, stderr=subprocess.DEVNULL)
    print(f"{done} faults, {failed} failed")
    sys.exit(failed > 0)
