"""What a job survives, and what its store costs.

    export PYTHONPATH=tests
    python benchmarks/reliability.py kills [--kills 1000] [--seed 0]
    python benchmarks/reliability.py faults [NAME...]
    python benchmarks/reliability.py store
    python benchmarks/reliability.py million [--passages 1000000]

`kills` runs a real job (llama.cpp, a small model with random weights) in a worker process and
ends it with SIGKILL at random moments, from its first import to its last file, and resumes it
each time. After every kill the store is compared with what it held before, and its ledger with a
count of its samples; a job that came to its end is compared with one that nobody killed. `faults`
is in reliability_faults.py. `store` measures what recording costs beside generating. `million`
plans, looks at, stops and resumes a job of so many passages.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tiny_model import write_tiny_gguf

from bonito_local.backends.base import Sampling
from bonito_local.backends.llamacpp import engine as _engine  # noqa: F401
from bonito_local.jobs import worker
from bonito_local.jobs.folder import is_running, store_path
from bonito_local.jobs.generate import Front, generate, prepare
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.state import job_state
from bonito_local.jobs.watch import Watch
from bonito_local.tasks import task_type

ROOT = Path(__file__).parents[1]
WORDS = (ROOT / "README.md").read_text(encoding="utf-8").split()
QUIET = ROOT / "runs" / "QUIET"  # while it is there something else is being timed


def write_rows(path: Path, count: int, words: int = 24, seed: int = 0) -> Path:
    """A table of `count` different texts."""
    chance = random.Random(seed)
    with path.open("w", encoding="utf-8") as file:
        for at in range(count):
            text = f"Passage {at}: {' '.join(chance.choices(WORDS, k=words))}."
            file.write(json.dumps({"text": text}) + "\n")
    return path


def wanted(folder: Path, output: str, rows: Path, model: Path, **change: object) -> Generation:
    """A job of two tasks and two rows each, guided so that random weights write rows."""
    return Generation(
        paths=(rows,),
        tasks=(task_type("exqa"), task_type("ynqa")),
        output=folder / output,
        model=str(model),
        sampling=Sampling(n=2, temperature=1.0, max_tokens=24),
        guided=True,
        **change,  # type: ignore[arg-type]
    )


class Worker:
    """The process that a detached run is; forked from this one, which has imported it all."""

    def __init__(self, output: Path, *, again: bool, fresh: bool) -> None:
        command = [sys.executable, "-m", "bonito_local.jobs.worker", str(output)]
        log = os.open(output / ".job" / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            os.dup2(log, 1)
            os.dup2(log, 2)
            if fresh:
                os.execv(sys.executable, [*command, "again"] if again else command)
            status = 70
            try:
                status = worker.main(output, again)
            finally:
                os._exit(status)
        os.close(log)
        self.status: int | None = None

    def poll(self) -> bool:
        """Whether it still runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is None

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@dataclass
class Held:
    """What a store holds: the samples planned, and those that ended, with all that was drawn."""

    planned: set[tuple[object, ...]] = field(default_factory=set)
    ended: dict[tuple[object, ...], tuple[object, ...]] = field(default_factory=dict)


def look(output: Path) -> Held:
    """Read a store, and see that it is whole and that its ledger is its samples' count."""
    held = Held()
    with closing(sqlite3.connect(store_path(output))) as db:
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
        assert not db.execute("PRAGMA foreign_key_check").fetchall()
        for row in db.execute(
            """SELECT p.hash, s.task, s.sample, s.outcome, s.reason, s.completion, s.digest
               FROM samples s JOIN passages p ON p.id = s.passage"""
        ):
            assert row[:3] not in held.planned, "a sample is there twice"
            held.planned.add(row[:3])
            if row[3] != "pending":
                held.ended[row[:3]] = row[3:]
        counted = db.execute("SELECT task, outcome, reason, count(*) FROM samples GROUP BY 1, 2, 3")
        ledger = db.execute("SELECT * FROM counts WHERE samples ORDER BY 1, 2, 3")
        assert counted.fetchall() == ledger.fetchall(), "the ledger is not the samples' count"
        (twice,) = db.execute(
            "SELECT count(*) - count(DISTINCT digest) FROM samples WHERE outcome = 'accepted'"
        ).fetchone()
        assert twice == 0, "an accepted row is there twice"
    return held


def kills(count: int, seed: int) -> None:
    chance = random.Random(seed)
    done = at = lost = duplicated = jobs = silent = 0
    phases: dict[str, int] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as temporary:
        folder = Path(temporary)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        model = write_tiny_gguf(folder / "tiny.gguf", metadata={"bonito.passage_tokens": 64})
        rows = write_rows(folder / "rows.jsonl", 150)
        whole = wanted(folder, "whole", rows, model, reproducible=True)
        if os.fork() == 0:  # No engine is opened in the process that workers are forked from.
            generate(whole)
            os._exit(0)
        assert os.wait()[1] == 0
        reference = look(whole.output)
        expected = (whole.output / "rows.jsonl").read_bytes()
        while done < count:
            # Every second job draws many sequences at a time, where bits may differ.
            exact = jobs % 2 == 0
            job = wanted(folder, f"job{jobs}", rows, model, reproducible=exact)
            prepare(job)
            held, resumes = Held(), 0
            while True:
                while QUIET.exists():
                    time.sleep(5)
                again, fresh = resumes % 3 == 0, at % 6 == 0
                process = Worker(job.output, again=again, fresh=fresh)
                if done < count:
                    _kill(process, job.output, chance, phases)
                status = process.wait()
                now = look(job.output)
                lost += len(held.planned - now.planned)
                lost += sum(now.ended.get(key) != end for key, end in held.ended.items())
                state = job_state(job.output)
                held, resumes, at = now, resumes + 1, at + 1
                if status == 0:
                    break
                assert status == -signal.SIGKILL, (status, job.output)
                assert not is_running(job.output)
                # A process that is killed before it has the job leaves it as it was.
                silent += state.state != "crashed"
                done += 1
            assert (state.state, state.ledger.pending) == ("finished", 0), state
            assert now.planned == reference.planned
            if exact:
                lost += sum(now.ended[key] != end for key, end in reference.ended.items())
                assert (job.output / "rows.jsonl").read_bytes() == expected
            lines = (job.output / "rows.jsonl").read_text().splitlines()
            assert len(lines) == state.ledger.accepted
            duplicated += len(lines) - len(set(lines))
            jobs += 1
            print(f"{done} kills, {jobs} jobs to their end, {lost} lost, {duplicated} duplicated,"
                  f" {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    print(f"| kills | {done} |\n| jobs, each to its end | {jobs} |")
    print(f"| samples of a job | {len(reference.planned)} |")
    print(f"| rows lost | {lost} |\n| rows duplicated | {duplicated} |")
    print(f"| killed before it had the job | {silent} |")
    print(f"| killed while | {', '.join(f'{k} {v}' for k, v in sorted(phases.items()))} |")


def _kill(process: Worker, output: Path, chance: random.Random, phases: dict[str, int]) -> None:
    """SIGKILL at a moment nobody chose: at any, or once it generates."""
    if chance.random() < 0.6:
        while process.poll() and phase(output) not in ("generating", "writing"):
            time.sleep(0.03)
        time.sleep(chance.uniform(0, 0.8))
    else:
        time.sleep(chance.uniform(0, 1.2))
    if process.poll():
        process.kill()
        at = phase(output)
        phases[at] = phases.get(at, 0) + 1


def phase(output: Path) -> str:
    state = job_state(output)
    return state.progress.phase if state.progress else "starting"


def store() -> None:
    """The processor time of everything that keeps a job, beside all that a run takes."""
    spent: dict[str, float] = {"recorder": 0.0, "watch": 0.0, "handing over": 0.0}

    def timed(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*args: Any) -> Any:
            began = time.thread_time()
            try:
                return run(*args)
            finally:
                spent[name] += time.thread_time() - began

        return measured

    Recorder._run = timed("recorder", Recorder._run)  # type: ignore[method-assign]
    Recorder.put = timed("handing over", Recorder.put)  # type: ignore[method-assign]
    Watch._run = timed("watch", Watch._run)  # type: ignore[method-assign]
    marks: dict[str, tuple[float, float]] = {}

    def notify(progress: Progress) -> None:
        marks.setdefault(progress.phase, (time.process_time(), time.monotonic()))

    with tempfile.TemporaryDirectory(prefix="store-") as temporary:
        os.environ["XDG_STATE_HOME"] = temporary
        job = Generation(
            paths=(ROOT / "examples" / "documents",),
            tasks=(task_type("exqa"), task_type("ynqa")),
            output=Path(temporary) / "out",
            model="tests/data/bonito-tiny.gguf",
            sampling=Sampling(n=4),
        )
        summary = generate(job, Front(notify))
    processor, seconds = (b - a for a, b in zip(marks["generating"], marks["writing"], strict=True))
    print(f"| samples | {summary.ledger.planned} |")
    print(f"| generating | {seconds:.1f} s, {processor:.1f} s of processor time |")
    for name, part in spent.items():
        print(f"| {name} | {part * 1000:.0f} ms |")
    print(f"| share of the processor time | {sum(spent.values()) / processor:.2%} |")


def million(passages: int) -> None:
    with tempfile.TemporaryDirectory(prefix="million-") as temporary:
        folder = Path(temporary)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")
        model = write_tiny_gguf(folder / "tiny.gguf")
        rows = write_rows(folder / "rows.jsonl", passages)
        job = Generation((rows,), (task_type("ynqa"),), folder / "out", str(model), backend="fake")
        planned, peak = _in_a_process(job, stop_at=passages // 10)
        size = store_path(job.output).stat().st_size
        print(f"| planning {passages} passages | {planned:.0f} s |", flush=True)
        print(f"| peak memory, to a tenth of the rows | {peak / 1e6:.0f} MB |")
        print(f"| store | {size / 1e6:.0f} MB |", flush=True)
        print(f"| looking at its state | {_quickest(lambda: job_state(job.output)):.4f} s |")
        command = [sys.executable, "-m", "bonito_local", "status", str(job.output)]
        status = _quickest(lambda: subprocess.run(command, check=True, capture_output=True))
        bare = _quickest(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
        print(f"| `bonito-local status` | {status:.2f} s, {bare:.2f} of it Python's start |")
        for again in (False, True):
            done = job_state(job.output).ledger.pending
            began = time.monotonic()
            process = Worker(job.output, again=again, fresh=True)
            while job_state(job.output).ledger.pending == done and process.poll():
                time.sleep(0.01)
            print(f"| {'run again' if again else 'resume'}, to its first new rows on disk |"
                  f" {time.monotonic() - began:.2f} s |", flush=True)  # fmt: skip
            process.kill()
            process.wait()
        began = time.monotonic()
        _, peak = _in_a_process(job, stop_at=None)
        ledger = job_state(job.output).ledger
        print(f"| to its end, the dataset written | {time.monotonic() - began:.0f} s |")
        print(f"| peak memory, to the end | {peak / 1e6:.0f} MB |")
        print(f"| planned, pending | {ledger.planned}, {ledger.pending} |")


def _quickest(what: Callable[[], object]) -> float:
    """The least of five: other work on the machine only adds."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        what()
        times.append(time.monotonic() - began)
    return min(times)


def _in_a_process(job: Generation, stop_at: int | None) -> tuple[float, float]:
    """Run a job in a process of its own; seconds until it generates, and peak memory in bytes."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        began = time.monotonic()
        marks: dict[str, float] = {}
        done = 0

        def notify(progress: Progress) -> None:
            nonlocal done
            marks.setdefault(progress.phase, time.monotonic())
            done = progress.done

        generate(job, Front(notify, stop=lambda: stop_at is not None and done >= stop_at))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        os.write(write, json.dumps([marks["generating"] - began, peak]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        told = pipe.read()
    os.waitpid(pid, 0)
    seconds, peak = json.loads(told)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    killing = commands.add_parser("kills")
    killing.add_argument("--kills", type=int, default=1000)
    killing.add_argument("--seed", type=int, default=0)
    breaking = commands.add_parser("faults")
    breaking.add_argument("names", nargs="*", help="how the names of those to inject begin")
    commands.add_parser("store")
    scale = commands.add_parser("million")
    scale.add_argument("--passages", type=int, default=1_000_000)
    args = parser.parse_args()
    if args.command == "kills":
        kills(args.kills, args.seed)
    elif args.command == "store":
        store()
    elif args.command == "million":
        million(args.passages)
    else:
        import reliability_faults

        reliability_faults.main(args.names)


if __name__ == "__main__":
    main()
