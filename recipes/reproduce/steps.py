"""Steps that are run once: each leaves a record, and what has one is not run again.

A step is a command line of Python's. Steps that need nothing of each other run side by side, each
on a core of its own, in processes that are forked from one with the libraries loaded: a hundred
short steps do not import torch a hundred times.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

LIBRARIES = [
    "bonito_local.backends.llamacpp.engine",
    "bonito_local.backends.transformers.scoring",
    "bonito_local.cli.main",
    "bonito_local.convert.pipeline",
    "bonito_local.evaluation.evaluate",
    "bonito_local.jobs.generate",
    "bonito_local.training.run",
    "transformers.models.mistral.modeling_mistral",
]


@dataclass(frozen=True)
class Step:
    """What follows `python` on a command line, and what has to be there before.

    `files` are written before it runs, by their path. One that is `alone` has the machine for
    itself, with as many threads as its libraries like. What it `makes` is removed before, if its
    command wants a new file.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    files: dict[Path, str] = field(default_factory=dict)
    alone: bool = False
    makes: Path | None = None

    def key(self, keys: dict[str, str]) -> str:
        """What it depends on: its command, its files, and the steps before it."""
        told = [
            self.command,
            sorted((str(path), text) for path, text in self.files.items()),
            [keys[name] for name in self.after],
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class Runner:
    """Runs steps, `jobs` at a time, with records and logs in `out`."""

    def __init__(self, out: Path, jobs: int) -> None:
        self.out, self.jobs = out, jobs
        for name in ("steps", "logs"):
            (out / name).mkdir(parents=True, exist_ok=True)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LIBRARIES)
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._cores = sorted(allowed)
        self._begun = time.monotonic()

    def run(self, steps: list[Step]) -> None:
        """Run what is not done yet, in order as far as needs allow; ends the program if one fails.

        Those that run beside a step that fails are waited for.
        """
        keys: dict[str, str] = {}
        for step in steps:
            keys[step.name] = step.key(keys)
        left = {step.name: step for step in steps if not self._done(step, keys[step.name])}
        waiting = list(left.values())
        running: dict[int, tuple[BaseProcess, Step]] = {}
        failed = ""
        while running or (waiting and not failed):
            free = [slot for slot in range(self.jobs) if slot not in running]
            ready = None if failed or not free else _next(waiting, left)
            if ready and not (running and (ready.alone or _alone(running))):
                waiting.remove(ready)
                minutes = (time.monotonic() - self._begun) / 60
                said = f"{len(steps) - len(waiting)}/{len(steps)}, {minutes:.0f} min"
                print(f"[{said}] {ready.name}", flush=True)
                running[free[0]] = self._start(ready, free[0], keys[ready.name]), ready
                continue
            wait([process.sentinel for process, _ in running.values()])
            for slot, (process, step) in list(running.items()):
                process.join(0)
                if process.exitcode is None:
                    continue
                del running[slot]
                if process.exitcode:
                    failed = step.name
                else:
                    del left[step.name]
        if failed:
            log = self._log(failed)
            ends = log.read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join([f"{failed} failed; {log} ends so:", *ends]))

    def _done(self, step: Step, key: str) -> bool:
        record = self._record(step.name)
        if not record.exists():
            return False
        if json.loads(record.read_text())["key"] != key:
            sys.exit(
                f"{step.name} was done with other settings. Name another --out, or remove "
                f"what it made and {record}."
            )
        return True

    def _start(self, step: Step, slot: int, key: str) -> BaseProcess:
        for path, text in step.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if step.makes:
            step.makes.unlink(missing_ok=True)
        core = None if step.alone or not self._cores else self._cores[slot % len(self._cores)]
        told = step.command, self._log(step.name), self._record(step.name), key, core, step.alone
        process = self._context.Process(target=take, args=told)
        process.start()
        return process

    def _log(self, name: str) -> Path:
        return self.out / "logs" / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self.out / "steps" / f"{name}.json"


def _next(waiting: list[Step], left: dict[str, Step]) -> Step | None:
    """The first step that needs none of those that are left."""
    return next((step for step in waiting if not any(name in left for name in step.after)), None)


def _alone(running: dict[int, tuple[BaseProcess, Step]]) -> bool:
    return any(step.alone for _, step in running.values())


def take(
    command: tuple[str, ...], log: Path, record: Path, key: str, core: int | None, alone: bool
) -> None:
    """Run a command, in the process that was started for it; leave its record if it went well."""
    begun, before = time.monotonic(), _processor_seconds()
    with log.open("w") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    if core is not None:
        os.sched_setaffinity(0, {core})
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # it has counted the cores already
    code = _wait_for(command) if alone else _run(command)
    if code:
        sys.exit(code)
    told = {
        "key": key,
        "seconds": round(time.monotonic() - begun, 1),
        "processor_seconds": round(_processor_seconds() - before, 1),
        "command": command,
    }
    part = record.with_suffix(".part")
    part.write_text(json.dumps(told, indent=2))
    part.replace(record)


def _wait_for(command: tuple[str, ...]) -> int:
    """Run a command in a process of its own; returns its exit status."""
    process = subprocess.Popen([sys.executable, *command])
    # Ctrl-C is for the command, which may have something to keep.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return process.wait()


def _run(command: tuple[str, ...]) -> int:
    """Run a module or a script as `python` would; returns its exit status."""
    try:
        if command[0] == "-m":
            sys.argv = list(command[1:])
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(command)
            sys.path.insert(0, str(Path(command[0]).parent))
            runpy.run_path(command[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    return 0


def _processor_seconds() -> float:
    """Of this process and those it started that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
