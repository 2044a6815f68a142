"""How long small commands take, from the start of their process to its end.

    python benchmarks/startup.py [--rounds 20] [--jobs 20]

Each is run in a fresh process with a home of its own, in which some finished jobs are listed; the
commands take turns, so that other load meets all alike. Beside them are Python itself and the
command lines of peers that happen to be installed. Needs tests/ on PYTHONPATH for the jobs.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

GOALS = {"bonito-local --help": 0.15, "bonito-local tasks": 0.3, "bonito-local jobs": 0.3}
OURS = (*GOALS, "bonito-local --version", "bonito-local status 1", "bonito-local models")
PEERS = ("pip --version", "hf --help", "trl --help", "mypy --version")
BIN = Path(sysconfig.get_path("scripts"))


def make_jobs(home: Path, count: int) -> None:
    """Finished jobs on the list of a home."""
    from app_jobs import finished_job

    for at in range(count):
        finished_job(home / f"job-{at}")


def measure(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=20)
    args = parser.parse_args()
    commands = {"python -c pass": [sys.executable, "-c", "pass"]}
    for line in (*OURS, *PEERS):
        name, *rest = line.split()
        if found := shutil.which(name, path=str(BIN)):
            commands[line] = [found, *rest]
    with tempfile.TemporaryDirectory() as home:
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            del os.environ[name]
        os.environ["HOME"] = home
        make_jobs(Path(home), args.jobs)
        times: dict[str, list[tuple[float, float]]] = {line: [] for line in commands}
        for _ in range(args.rounds + 1):
            for line, command in commands.items():
                times[line].append(measure(command))
    print("| command | median, s | fastest, s | processor, s | goal, s |\n|---|---|---|---|---|")
    for line, runs in times.items():
        walls = [wall for wall, _ in runs[1:]]  # the first run fills the disk's cache
        processor = statistics.median(used for _, used in runs[1:])
        goal = f"{GOALS[line]}" if line in GOALS else ""
        print(
            f"| `{line}` | {statistics.median(walls):.3f} | {min(walls):.3f} "
            f"| {processor:.3f} | {goal} |"
        )


if __name__ == "__main__":
    main()
