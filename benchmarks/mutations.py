"""Mutates what comes from outside, and reads it: job files, stores, bundles, answers, headers.

    python benchmarks/mutations.py [--count 20000] [--seconds S] [--seed N] [--keep DIR] [TARGET...]

Each mutation must be read, or refused by an error of ours. What it prints for each target: how many
were tried, read and refused, and faults (another exception), hangs (over 10 s) and the peak memory.
`--seconds` is for each target, in place of a count. `--keep` is a folder for what failed, which is
tried first the next time.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fuzz.kinds import KINDS

_MOST_SECONDS = 10
_MOST_MEMORY = 2 << 30


class Hang(BaseException):
    """A mutation that takes longer than it may."""


@dataclass
class Found:
    """What became of a target's mutations."""

    tried: int = 0
    read: int = 0
    refused: int = 0
    hangs: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0


def run(name: str, count: int, seconds: float, seed: int, keep: Path | None) -> Found:
    """Read a target's mutations."""
    from bonito_local.errors import BonitoError
    from bonito_local.models.installer import Refused

    made, mutates = KINDS[name]
    found, draw = Found(), random.Random(f"{seed} {name}")
    with tempfile.TemporaryDirectory() as folder:
        whole, read = made(Path(folder))
        read(whole)
        kept = keep / name.replace(" ", "-") if keep else None
        before = [path.read_bytes() for path in sorted(kept.glob("*"))] if kept else []
        until = time.monotonic() + seconds if seconds else float("inf")
        while (seconds or found.tried < count) and time.monotonic() < until:
            data = before.pop() if before else draw.choice(mutates)(draw, whole)
            found.tried += 1
            begun = time.monotonic()
            fault = ""
            try:
                signal.alarm(_MOST_SECONDS)
                read(data)
                found.read += 1
            except (BonitoError, Refused):
                found.refused += 1
            except Hang:
                found.hangs += 1
                fault = "hang"
            except Exception as error:  # noqa: BLE001
                trace = error.__traceback__
                while trace and trace.tb_next:
                    trace = trace.tb_next
                where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
                fault = f"{type(error).__name__} {where} {str(error)[:60]!r}"
                found.faults[fault] = found.faults.get(fault, 0) + 1
            finally:
                signal.alarm(0)
            found.slowest = max(found.slowest, time.monotonic() - begun)
            if fault and kept:
                kept.mkdir(parents=True, exist_ok=True)
                (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return found


def _hang(*_: object) -> None:
    raise Hang


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--count", type=int, default=20_000, help="of all targets together")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    chosen = args.targets or list(KINDS)
    bad = 0
    with tempfile.TemporaryDirectory() as home:
        import os

        os.environ |= {"HOME": home, "BONITO_LOCAL_MODELS": f"{home}/models"}
        for name in chosen:
            found = run(name, args.count // len(chosen), args.seconds, args.seed, args.keep)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            faults = sum(found.faults.values())
            print(
                f"{name:12} {found.tried:6} tried {found.read:6} read {found.refused:6} refused "
                f"{faults:4} faults {found.hangs:3} hangs; slowest {found.slowest:.2f} s; "
                f"peak {peak} MB",
                flush=True,
            )
            for fault, number in sorted(found.faults.items(), key=lambda item: -item[1])[:8]:
                print(f"    {number:5} {fault}")
            bad += faults + found.hangs
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
