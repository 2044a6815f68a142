"""What a Ray cluster on this machine costs beside plain processes, and where its driver saturates.

    python benchmarks/cluster.py overhead --rows 400 --rounds 5
    python benchmarks/cluster.py driver --passages 100000

`overhead`: one job by two engines on a cluster, against two processes that each run half of it
at the same time, on as many cores. Rounds alternate; the time until an engine has opened its
model is left out on both sides: a cluster's is what two rows of one token take. `driver`: a job
with the fake backend, from planned passages to the store: rows/s, and memory over time of the
driver and of all of Ray's processes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from tiny_model import write_tiny_gguf

from bonito_local.backends.base import Backend, Plan, Sampling
from bonito_local.backends.cluster.engine import open_cluster
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.backends.registry import open_backend
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Passage
from bonito_local.tasks import task_type

WORDS = "The tenant pays the rent for the flat on the first working day of every month".split()


def passages(first: int, count: int) -> Iterator[Passage]:
    """Distinct ones of about 40 words."""
    for i in range(first, first + count):
        text = f"Lease {i}. " + " ".join(WORDS[(i + k) % len(WORDS)] for k in range(40))
        yield Passage(text, "leases.txt", "ab" * 32, None, 300 * i, 300 * i + len(text))


def job(backend: str, max_tokens: int) -> JobSpec:
    """One task, one row a passage."""
    sampling = Sampling(max_tokens=max_tokens)
    return JobSpec((task_type("exqa"),), sampling, "benchmark", "0" * 64, backend, 128)


class Clock:
    """Seconds until the last row, and what it was told of progress."""

    def __init__(self) -> None:
        self.generating = False
        self.done = 0
        self.lines: list[tuple[float, int, int, int]] = []
        self.begun = self.last = time.monotonic()
        self.processor = 0.0  # seconds of this process, all threads, since generating began

    @property
    def seconds(self) -> float:
        """Since generating began."""
        return self.last - self.begun

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase != "generating":
            return
        if not self.generating:
            self.generating, self.processor, self.begun = True, time.process_time(), now
        if progress.done > self.done:
            self.last, self.done = now, progress.done
        if not self.lines or now - self.lines[-1][0] >= 5:
            self.lines.append((now, progress.done, memory([os.getpid()]), memory(ray_processes())))


def memory(pids: list[int]) -> int:
    """Resident bytes, of pages that are a process's own."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/statm").read_text().split()
        except OSError:
            continue
        total += (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
    return total


def ray_processes() -> list[int]:
    """All processes below this one, Ray's native ones too."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def run(backend: Backend, first: int, count: int, max_tokens: int, folder: Path) -> Clock:
    """A job in a new store, of which every sample has to end."""
    store, clock = Store(folder / f"{time.monotonic_ns()}.sqlite"), Clock()
    ledger = run_job(store, backend, job(backend.name, max_tokens), passages(first, count), clock)
    store.close()
    clock.processor = time.process_time() - clock.processor
    if ledger.pending or ledger.planned != count:
        raise SystemExit(f"{ledger.pending} of {ledger.planned} samples have not ended")
    return clock


def half(model: Path, first: int, count: int, max_tokens: int, cores: set[int]) -> None:
    """Be one of the plain processes: print its rate."""
    if cores:
        os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as folder:
        backend = open_backend("llamacpp", model)
        clock = run(backend, first, count, max_tokens, Path(folder))
        backend.close()
    print(count / clock.seconds)


def overhead(rows: int, rounds: int, max_tokens: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = write_tiny_gguf(folder / "m.gguf", layers=8, width=512, heads=8, ff=1024)
        ratios = []
        for at in range(rounds):
            plain = []
            for part in range(2):
                mine = ",".join(map(str, cores[part::2] if len(cores) > 1 else cores))
                command = [sys.executable, __file__, "half", str(model), mine]
                numbers = [str(part * rows // 2), str(rows // 2), str(max_tokens)]
                plain.append(
                    subprocess.Popen([*command, *numbers], stdout=subprocess.PIPE, text=True)
                )
            alone = sum(float(process.communicate()[0]) for process in plain)
            backend = open_cluster(ClusterOptions("ray", "", 2), "llamacpp", model, Plan())
            opening = run(backend, 0, 2, 1, folder).seconds
            seconds = run(backend, 0, rows, max_tokens, folder).seconds
            opening = min(opening, run(backend, 0, 2, 1, folder).seconds)
            backend.close()
            together = rows / (seconds - opening)
            ratios.append(together / alone)
            print(
                f"round {at}: two processes {alone:.2f} rows/s, cluster {together:.2f} rows/s "
                f"({seconds:.1f} s, {opening:.1f} of them to open)",
                flush=True,
            )
        print(f"rows/s, cluster / processes: median {statistics.median(ratios):.3f}")


def driver(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        backend = open_cluster(ClusterOptions("ray", "", 2), "fake", Path("fake"), Plan())
        clock = run(backend, 0, count, 256, Path(name))
        backend.close()
    seconds = clock.seconds
    print(f"{count} rows in {seconds:.1f} s, engines' start and all: {count / seconds:.0f} rows/s")
    print(
        f"the driver's processor time: {clock.processor:.1f} s, "
        f"{count / clock.processor:.0f} rows for each second of it"
    )
    print("seconds   rows   driver MB   other processes MB")
    for at, done, own, others in clock.lines:
        print(f"{at - clock.begun:7.0f} {done:6} {own / 1e6:11.0f} {others / 1e6:20.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("overhead")
    one.add_argument("--rows", type=int, default=400)
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--max-tokens", type=int, default=64)
    commands.add_parser("driver").add_argument("--passages", type=int, default=100_000)
    part = commands.add_parser("half")
    part.add_argument("model", type=Path)
    part.add_argument("cores")
    part.add_argument("numbers", type=int, nargs=3)
    asked = parser.parse_args()
    if asked.command == "overhead":
        overhead(asked.rows, asked.rounds, asked.max_tokens)
    elif asked.command == "driver":
        driver(asked.passages)
    else:
        half(asked.model, *asked.numbers, set(map(int, asked.cores.split(","))))


if __name__ == "__main__":
    main()
