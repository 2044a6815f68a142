"""Steps that are run once: each leaves a record, and what has one is not run again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """A command and what it makes. `files` are written before it runs, by their path."""

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    files: dict[Path, str] = field(default_factory=dict)

    def key(self, keys: dict[str, str]) -> str:
        """What it depends on: its command, its files, and the steps before it."""
        told = [
            self.command,
            sorted((str(path), text) for path, text in self.files.items()),
            [keys[name] for name in self.after],
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class Runner:
    """Runs steps in their order, with records and logs in `out`."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.keys: dict[str, str] = {}
        (out / "steps").mkdir(parents=True, exist_ok=True)
        for name in ("logs", "models"):
            (out / name).mkdir(exist_ok=True)

    def run(self, steps: list[Step]) -> None:
        """Run what is not done yet; ends the program where one fails."""
        begun = time.monotonic()
        for nth, step in enumerate(steps, 1):
            self.keys[step.name] = key = step.key(self.keys)
            record = self.out / "steps" / f"{step.name}.json"
            if record.exists():
                if json.loads(record.read_text())["key"] != key:
                    sys.exit(
                        f"{step.name} was done with other settings. Name another --out, or remove "
                        f"what it made and {record}."
                    )
                continue
            passed = (time.monotonic() - begun) / 60
            print(f"[{nth}/{len(steps)}, {passed:.0f} min] {step.name}", flush=True)
            seconds = self._run(step)
            told = {"key": key, "seconds": round(seconds, 1), "command": step.command}
            record.write_text(json.dumps(told, indent=2))

    def again(self, step: Step) -> None:
        """Run a step whatever was done before."""
        self._run(step)

    def _run(self, step: Step) -> float:
        for path, text in step.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        log = self.out / "logs" / f"{step.name}.log"
        begun = time.monotonic()
        with log.open("w") as file:
            done = subprocess.run(step.command, stdout=file, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            said = log.read_text(errors="replace").splitlines()[-15:]
            sys.exit("\n".join([f"{step.name} failed; {log} ends so:", *said]))
        return time.monotonic() - begun
