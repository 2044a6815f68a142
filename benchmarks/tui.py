"""How quick the terminal app is: first paint, long lists, keys while a job runs, memory.

    export PYTHONPATH=tests
    python benchmarks/tui.py [--rows 1000000] [--jobs 1000] [--keys 300]

First paint is measured in a real terminal (tmux), from the command's start until the list of jobs
is on the screen; keys in a pseudo-terminal, from the key's byte in to the first byte out. Lists
are measured in the app with Textual's own driver in memory: from a screen's opening until what
was asked for is drawn. Each figure is of a fresh process; jobs are real stores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import random
import resource
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from app_jobs import finished_job
from driving import text_of
from tiny_model import write_tiny_gguf

ROOT = Path(__file__).parents[1]


def make_big(output: Path, rows: int) -> None:
    """A finished job of so many rows: a small one's store, filled by SQL."""
    from bonito_local.jobs.folder import store_path

    finished_job(output, 4)
    chance = random.Random(0)
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    with closing(sqlite3.connect(store_path(output), isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        for at in range(5, rows + 5):
            text = " ".join(chance.choices(words, k=40))
            db.execute(
                'INSERT INTO passages (id, hash, text, document, page, start, "end", heading) '
                "VALUES (?, ?, ?, 1, 1, 0, 1, '')",
                (at, f"h{at}", text),
            )
            db.execute(
                "INSERT INTO samples (passage, task, sample, outcome, instruction, response,"
                " completion, digest) VALUES (?, 'exqa', 0, 'accepted', ?, ?, ?, ?)",
                (at, text[:80], text[:20], text[:100], str(at).encode()),
            )
        db.execute("COMMIT")


async def until(pilot: Any, true: Callable[[], Any]) -> float:
    """Seconds until something holds, looked at each time the app has caught up."""
    began = time.perf_counter()
    while not true():
        await asyncio.sleep(0.001)
    return time.perf_counter() - began


def drive(script: Callable[[Any, Any], Awaitable[dict[str, float]]]) -> dict[str, float]:
    """Run a script on the app at 120 by 40; its figures and this process's peak memory."""
    from bonito_local.tui.app import BonitoApp

    async def run() -> dict[str, float]:
        app = BonitoApp()
        async with app.run_test(size=(120, 40)) as pilot:
            await until(pilot, lambda: type(app.screen).__name__ == "HomeScreen")
            await pilot.pause()
            figures = await script(app, pilot)
            # The peak until here: not of leaving.
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            return {**figures, "memory, MB": peak}

    return asyncio.run(run())


async def table(app: Any, pilot: Any) -> dict[str, float]:
    """From Home's opening to its first lines, and until every job was looked at."""
    from bonito_local.tui.screens.home import HomeScreen

    app.pop_screen()
    screen = HomeScreen()
    began = time.perf_counter()
    app.push_screen(screen)
    await until(pilot, lambda: screen.board.jobs and "finished" in text_of(app))
    first = time.perf_counter() - began
    await until(pilot, lambda: len(screen.board.jobs) == len(screen.entries) > 0)
    return {"first lines, s": first, "all looked at, s": time.perf_counter() - began}


async def review(app: Any, pilot: Any) -> dict[str, float]:
    """From the review's opening to its first row, and to the last row after End."""
    from bonito_local.tui.screens.review import ReviewScreen

    screen = ReviewScreen(Path(os.environ["BENCH_JOB"]))
    began = time.perf_counter()
    app.push_screen(screen)
    await until(pilot, lambda: screen.query("#review") and screen.row and "exqa" in text_of(app))
    opened = time.perf_counter() - began
    rows = int(os.environ["BENCH_ROWS"])
    await until(pilot, lambda: len(screen.pager.numbers) >= rows)
    counted = time.perf_counter() - began
    times = []
    for key in ("end", "home", "pagedown", "end") * 5:
        began = time.perf_counter()
        await pilot.press(key)
        await until(pilot, lambda: screen.row)
        times.append(time.perf_counter() - began)
    return {"first row, s": opened, "all counted, s": counted, "jump, worst, s": max(times)}


SCENES = {"table": table, "review": review}


def measure(scene: str, **settings: object) -> dict[str, float]:
    """A scene in a process of its own."""
    env = {**os.environ, **{name: str(value) for name, value in settings.items()}}
    done = subprocess.run(
        [sys.executable, __file__, "--scene", scene],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def bulk(output: Path) -> dict[str, float]:
    """Processor seconds to reject all rows of a job in one step, and to take that back."""
    from bonito_local.jobs.review import open_review
    from bonito_local.jobs.rows import Filter

    with closing(open_review(output)) as review:
        numbers = review.numbers(Filter(outcome="accepted")) or []
        began = time.process_time()
        assert review.decide(numbers, "rejected", "private") == len(numbers)
        decided = time.process_time()
        assert len(review.undo()) == len(numbers)
    return {"reject all, s": decided - began, "undo, s": time.process_time() - decided}


def first_paint(times: int = 5) -> list[float]:
    """Seconds from the command to the list of jobs on a real terminal, each time."""
    seconds = []
    names = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    given = [f"{name}={os.environ[name]}" for name in names]
    for at in range(times):
        tmux = ["tmux", "-f", "/dev/null", "-L", f"bench-{os.getpid()}-{at}"]
        command = ["env", *given, sys.executable, "-m", "bonito_local"]
        began = time.perf_counter()
        subprocess.run([*tmux, "new-session", "-d", "-x", "120", "-y", "40", *command], check=True)
        while True:
            shown = subprocess.run([*tmux, "capture-pane", "-p"], capture_output=True, text=True)
            if "n New" in shown.stdout:
                break
            time.sleep(0.005)
        seconds.append(time.perf_counter() - began)
        subprocess.run([*tmux, "kill-server"], check=False)
    return seconds


def key_latency(count: int) -> dict[str, float]:
    """From a key written to a terminal until the app has answered on it, and its memory."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "bonito_local"])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    _drain(terminal, 1.0)
    times = []
    for at in range(count):
        # What the app draws by itself, twice a second, must not pass for an answer.
        _drain(terminal, 0.02)
        began = time.perf_counter()
        os.write(terminal, b"j" if at % 40 < 20 else b"k")
        select.select([terminal], [], [], 10)
        os.read(terminal, 1 << 16)
        times.append(1000 * (time.perf_counter() - began))
    status = Path(f"/proc/{pid}/status").read_text()
    peak = int(next(line.split()[1] for line in status.splitlines() if "VmHWM" in line)) / 1024
    os.write(terminal, b"q")
    _drain(terminal, 1.0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    times.sort()
    names = ("median, ms", "p95, ms", "worst, ms")
    shown = (times[len(times) // 2], times[int(len(times) * 0.95)], times[-1])
    return {**dict(zip(names, shown, strict=True)), "memory, MB": peak}


def _drain(terminal: int, seconds: float) -> None:
    """Read until nothing has come for so long, at most ten times as long."""
    end = time.monotonic() + 10 * seconds
    with contextlib.suppress(OSError):
        while select.select([terminal], [], [], seconds)[0]:
            if not os.read(terminal, 1 << 16) or time.monotonic() > end:
                return


def running_job(folder: Path) -> Path:
    """A job of the real engine that takes long, on its way."""
    from bonito_local.backends.base import Sampling
    from bonito_local.jobs.generation import Generation
    from bonito_local.jobs.launch import launch
    from bonito_local.tasks import task_type

    model = write_tiny_gguf(folder / "tiny.gguf", layers=8, width=256, ff=512)
    documents = ROOT / "examples" / "documents"
    job = Generation((documents,), (task_type("exqa"),), folder / "running", str(model),
                     sampling=Sampling(n=2000, max_tokens=64, temperature=1.0))  # fmt: skip
    launch(job)
    return job.output


def show(title: str, figures: dict[str, float]) -> None:
    print(
        f"| {title} | " + ", ".join(f"{k} {v:.3g}" for k, v in figures.items()) + " |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--keys", type=int, default=300)
    parser.add_argument("--scene", choices=SCENES)
    args = parser.parse_args()
    if args.scene:
        print(json.dumps(drive(SCENES[args.scene])))
        return
    from bonito_local.jobs.control import ask
    from bonito_local.jobs.registry import Registry

    with tempfile.TemporaryDirectory(prefix="tui-") as temporary:
        folder = Path(temporary)
        os.environ |= {"HOME": temporary, "XDG_STATE_HOME": f"{temporary}/state"}
        os.environ |= {"XDG_CONFIG_HOME": f"{temporary}/config", "XDG_CACHE_HOME": f"{temporary}/c"}
        seconds = first_paint()
        print(f"| first paint | {', '.join(f'{s:.2f}' for s in seconds)} s |", flush=True)
        first = finished_job(folder / "job-0", 20)
        for at in range(1, args.jobs):
            shutil.copytree(first, folder / f"job-{at}")
            Registry().add(folder / f"job-{at}")
        show(f"table of {args.jobs} jobs", measure("table"))
        make_big(folder / "big", args.rows)
        big = {"BENCH_JOB": folder / "big", "BENCH_ROWS": args.rows}
        show(f"review of {args.rows} rows", measure("review", **big))
        show(f"all {args.rows} rows at once, processor", bulk(folder / "big"))
        show("keys, nothing else running", key_latency(args.keys))
        running = running_job(folder)
        show("keys while a job runs", key_latency(args.keys))
        ask(running, "cancel")


if __name__ == "__main__":
    main()
