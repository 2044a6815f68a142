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
import json
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

_MOST_SECONDS = 10
_MOST_MEMORY = 2 << 30
_EVIL = [
    *("null", "true", "[]", "{}", '""', "-1", "0", "1e999", "NaN", "9" * 30, "9" * 5000),
    *('"\\u0000"', '"\\ud800"', '"../../x"', '"\\u001b]0;x\\u0007"', "[" * 5000, '{"a":' * 5000),
    *("1e-46", "9223372036854775808", "-9223372036854775809", '"' + "n" * 5000 + '"', "[[]]"),
]


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


Reader = Callable[[bytes], object]


def flip(draw: random.Random, data: bytes) -> bytes:
    """Change, take out, repeat or swap a few bytes, or put an evil value among them."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        if not found:
            break
        at, length = draw.randrange(len(found)), draw.choice((1, 1, 2, 4, 8, 100))
        kind = draw.randrange(6)
        if kind == 0:
            found[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length] * draw.choice((1, 2, 50))
        elif kind == 3:
            found[at : at + length] = draw.choice(
                (b"\xff" * length, b"\0" * length, b"\x7f" * length)
            )
        elif kind == 4:
            found[at:at] = draw.choice(_EVIL).encode()
        else:
            found = found[: max(1, at)]
    return bytes(found)


def values(draw: random.Random, data: bytes) -> bytes:
    """Put an evil value in the place of one or two values of a JSON text."""
    tree = json.loads(data)
    marks = {}
    for number in range(draw.choice((1, 1, 2))):
        places = list(_places(tree))
        if not places:
            break
        holder, key = draw.choice(places)
        mark = f"\ue000{number}\ue000"
        marks[json.dumps(mark)] = draw.choice(_EVIL)
        holder[key] = mark
    text = json.dumps(tree)
    for mark, evil in marks.items():
        text = text.replace(mark, evil)
    return text.encode("utf-8", "surrogatepass")


def _places(tree: object) -> Iterator[tuple[dict | list, object]]:
    keys = range(len(tree)) if isinstance(tree, list) else list(tree)
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])


def job_file(folder: Path) -> tuple[bytes, Reader]:
    """A job file with every table."""
    from bonito_local.jobs.jobfile import read_job

    path = folder / "job.toml"
    whole = (
        'documents = ["a", "/b/c.txt"]\noutput = "out"\ntasks = ["exqa", "topic_class"]\n'
        'model = "m.gguf"\nbackend = "fake"\nlabels = ["law", "health"]\npriority = 3\n'
        '[splitting]\ncolumn = "body"\nlimit = 9\npassage_tokens = 64\noverlap_tokens = 8\n'
        "[sampling]\nn = 2\ntemperature = 1.0\ntop_p = 0.5\nmax_tokens = 32\nseed = 7\n"
        'stop = ["x"]\n[checks]\nanswer_words = 12\nrepetition = 1.0\nskip = ["asks nothing"]\n'
        '[engine]\nendpoint = "http://127.0.0.1:1"\ntensor_parallel = 2\nmemory_fraction = 0.5\n'
        '[exports]\nformats = ["openai", "csv"]\nsplit = "80/20"\n'
    )

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return read_job(path)

    return whole.encode(), read


def store(folder: Path) -> tuple[bytes, Reader]:
    """A finished job's store, mutated as a file and in its values."""
    from app_jobs import finished_job

    from bonito_local.jobs.control import read_request
    from bonito_local.jobs.output import account
    from bonito_local.jobs.review import open_review
    from bonito_local.jobs.rows import Filter
    from bonito_local.jobs.state import job_state
    from bonito_local.jobs.store import Store

    whole = finished_job(folder / "whole", 6)
    output = folder / "out"
    path = output / ".job" / "store.sqlite"

    def read(data: bytes) -> object:
        shutil.rmtree(output, ignore_errors=True)
        path.parent.mkdir(parents=True, mode=0o700)
        path.write_bytes(data)
        path.chmod(0o600)
        job_state(output)
        with closing(Store(path, create=False)) as held:
            account(held)
            list(held.chosen())
            list(held.pending())
        with closing(open_review(output)) as review:
            review.page(list(review.numbers(Filter()) or ())[:20])
        read_request(output)
        return None

    file = (whole if isinstance(whole, Path) else folder / "whole") / ".job" / "store.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    return file.read_bytes(), read


def store_values(draw: random.Random, data: bytes) -> bytes:
    """Change a value of a store by SQL, or bytes of the file."""
    if draw.random() < 0.5:
        return flip(draw, data)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with closing(sqlite3.connect(file.name)) as db, suppress(sqlite3.Error):
            db.execute("PRAGMA ignore_check_constraints = 1")
            tables = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                if not name.startswith(("sqlite_", "passage_words"))
            ]
            table = draw.choice(tables)
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            value = draw.choice([*_EVIL, b"\xff\xfe", -1, 1 << 62, 9e300, None, ""])
            db.execute(f'UPDATE {table} SET "{draw.choice(columns)}" = ?', (value,))
            db.commit()
        return Path(file.name).read_bytes()


def bundle(folder: Path) -> tuple[bytes, Reader]:
    """A bundle with a wheel and a model."""
    import zipfile

    from bonito_local.models import installer

    path = folder / "b.pyz"
    names = ("__main__.py", "wheels/a-1.0-py3-none-any.whl", "models/m.gguf", "models/m.gguf.json")
    sha256 = hashlib.sha256(b"x").hexdigest()
    contents = {
        "format": 1,
        "version": "0.1.0",
        "python": "3.11",
        "platform": ["linux", "x86_64"],
        "models": ["m"],
        "files": [{"name": n, "bytes": 1, "sha256": sha256} for n in names],
    }
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(installer.CONTENTS, json.dumps(contents))
        for name in names:
            made.writestr(name, b"x")

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return installer.verify(path)

    return path.read_bytes(), read


def hub(_folder: Path) -> tuple[bytes, Reader]:
    """A hub's answer about a model."""
    from bonito_local.models.fetching import published, to_fetch
    from bonito_local.models.hub import read_answer

    lfs = {"sha256": "0" * 64, "size": 100, "pointerSize": 135}
    answer = {
        "id": "o/m",
        "sha": "c0ffee" + "0" * 34,
        "gated": False,
        "cardData": {"license": "mit"},
        "siblings": [
            {"rfilename": "m.Q4_K_M.gguf", "size": 100, "blobId": "0" * 40, "lfs": lfs},
            {"rfilename": "config.json", "size": 10, "blobId": "1" * 40},
        ],
    }

    def read(data: bytes) -> object:
        with suppress(ValueError):
            repo = read_answer("o/m", data)
            return to_fetch(repo, published(repo, "Q4_K_M"))

    return json.dumps(answer).encode(), read


def server(_folder: Path) -> tuple[bytes, Reader]:
    """A server's completion."""
    from bonito_local.backends.base import Request, Sample, Sampling
    from bonito_local.backends.openai_api import OpenAI
    from bonito_local.shapes import ShapeError, parse

    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    choice = {"text": "What?\n<|pipe|>\nRent.", "finish_reason": "stop", "index": 0}
    request = Request("1", "p", Sampling(), (Sample(0, 1),))
    engine = OpenAI.__new__(OpenAI)

    def read(data: bytes) -> object:
        with suppress(ShapeError):
            return engine._read(parse(data), request, request.samples[0])

    return json.dumps({"choices": [choice], "usage": usage}).encode(), read


def gguf(folder: Path) -> tuple[bytes, Reader]:
    """The header of a small model's file."""
    from tiny_model import write_tiny_gguf

    from bonito_local.backends.llamacpp.gguf_file import read_contents

    path = write_tiny_gguf(folder / "tiny.gguf")
    whole = path.read_bytes()

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return read_contents(path)

    return whole, read


def gguf_header(draw: random.Random, data: bytes) -> bytes:
    """Mutate what comes before the tensors' data."""
    end = len(data) // 8
    return flip(draw, data[:end]) + data[end:]


def safetensors(folder: Path) -> tuple[bytes, Reader]:
    """A checkpoint's file of two tensors."""
    from bonito_local.convert.safetensors import read_header

    path = folder / "model.safetensors"
    header = json.dumps(
        {
            "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "b": {"dtype": "F16", "shape": [4], "data_offsets": [16, 24]},
        }
    ).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(24)

    def read(data: bytes) -> object:
        path.write_bytes(data)
        return read_header(path)

    return whole, read


def manifest(folder: Path) -> tuple[bytes, Reader]:
    """A model's manifest, as a listing reads it."""
    from tiny_model import write_tiny_gguf

    from bonito_local.convert.manifest import manifest_path
    from bonito_local.models import store as models
    from bonito_local.models.installed import _look

    path = models.add(write_tiny_gguf(folder / "tiny.gguf"), "mine")
    whole = manifest_path(path).read_bytes()

    def read(data: bytes) -> object:
        manifest_path(path).write_bytes(data)
        found = _look(path, "store")
        return found.standing, found.quant, found.changed

    return whole, read


Mutate = Callable[[random.Random, bytes], bytes]
TARGETS: dict[str, tuple[Callable[[Path], tuple[bytes, Reader]], tuple[Mutate, ...]]] = {
    "job file": (job_file, (flip,)),
    "store": (store, (store_values,)),
    "bundle": (bundle, (flip,)),
    "hub": (hub, (flip, values)),
    "server": (server, (flip, values)),
    "gguf": (gguf, (gguf_header,)),
    "safetensors": (safetensors, (flip,)),
    "manifest": (manifest, (flip, values)),
}


def run(name: str, count: int, seconds: float, seed: int, keep: Path | None) -> Found:
    """Read a target's mutations."""
    from bonito_local.errors import BonitoError
    from bonito_local.models.installer import Refused

    made, mutates = TARGETS[name]
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
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []])
    parser.add_argument("--count", type=int, default=20_000, help="of all targets together")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    signal.signal(signal.SIGALRM, _hang)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    chosen = args.targets or list(TARGETS)
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
