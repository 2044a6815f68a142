"""Parsers of what comes from outside, each with something sound to break.

A target is made in a folder of its own. It returns what is sound, and a function that reads bytes
and raises an error of ours for what it refuses.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

Reader = Callable[[bytes], object]


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
        return None

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
        return None

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
