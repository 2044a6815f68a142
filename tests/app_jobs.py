"""Jobs for the tests of the app: one made without an engine, and a request for the real one."""

from __future__ import annotations

from pathlib import Path

from scripted import Scripted, passages, spec

from bonito_local.backends.base import Request, Sampling
from bonito_local.checks.rules import REASONS
from bonito_local.checks.thresholds import Thresholds
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.generation import Generation, as_json
from bonito_local.jobs.registry import Registry
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.tasks import PIPE, task_type


def answer(request: Request, sample: int) -> str:
    """Of four passages one's text does not parse, and one's answer is not in it."""
    number = int(request.id.split("/")[0])
    if number % 4 == 0:
        return "no marker"
    said = f"number {number - 1}." if number % 4 != 3 else "elsewhere"
    return f"Which passage is this, of {number}?{PIPE}{said}"


def finished_job(output: Path, count: int = 12) -> Path:
    """A job that has ended, without an engine, and is on the list."""
    store = Store(store_path(output))
    wanted = Generation((Path("documents"),), (task_type("exqa"),), output, "tiny", "scripted")
    store.save("request", as_json(wanted) | {"folder": str(output.parent)})
    run = store.begin_run("scripted", False)
    store.save("airgap", ["seccomp filter"])
    run_job(store, Scripted(answer), spec("exqa"), passages(count))
    store.end_run(run, "finished")
    store.close()
    Registry().add(output)
    return output


def real_job(documents: Path, output: Path, model: Path, n: int = 1) -> Generation:
    """A request for the real engine: guided and unchecked, so that random weights write rows."""
    return Generation(
        (documents,),
        (task_type("exqa"), task_type("ynqa")),
        output,
        str(model),
        sampling=Sampling(n=n, max_tokens=24, temperature=1.0),
        guided=True,
        checks=Thresholds(near_duplicate=0, skip=REASONS),
    )
