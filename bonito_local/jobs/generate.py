"""The main job, from what a user asks for to a dataset: what every front end calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bonito_local.backends.base import Plan, Sampling
from bonito_local.backends.registry import open_backend
from bonito_local.errors import BackendError
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.guided import check_labels
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.output import write_output
from bonito_local.jobs.runner import Notify, Progress, Stop, run_job
from bonito_local.jobs.spec import JobSpec, check_sampling
from bonito_local.models.catalog import resolve_model
from bonito_local.models.fit import passage_tokens, untrained_tasks
from bonito_local.passages.discover import check_paths
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.types import Problem
from bonito_local.tasks import TaskType


@dataclass(frozen=True, slots=True)
class Generation:
    """What to generate.

    `paths` are documents or folders, `column` names the text column of tables,
    `limit` ends reading after so many passages. `guided` keeps every completion in its task
    type's shape, `labels` are topic_class's then. `tune` and `reproducible` are as in `Plan`.
    """

    paths: tuple[Path, ...]
    tasks: tuple[TaskType, ...]
    output: Path
    model: str
    backend: str = "llamacpp"
    sampling: Sampling = field(default_factory=Sampling)
    column: str | None = None
    limit: int | None = None
    guided: bool = False
    labels: tuple[str, ...] = ()
    tune: bool = False
    reproducible: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended: the job's ledger, its dataset's rows, the documents left out.

    `stopped` says that the user ended it early.
    """

    ledger: Ledger
    rows: int
    problems: list[Problem]
    stopped: bool


def generate(
    wanted: Generation,
    notify: Notify = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
    stop: Stop = lambda: False,
) -> Summary:
    """Run a job in `wanted.output`, or go on with the one there, and write its dataset.

    A KeyboardInterrupt while generating, like `stop()` turning true, ends the run
    with everything kept that had finished.

    Raises:
        BonitoError: nothing could be done, or the run broke off; what had finished is kept.
    """
    check_sampling(wanted.sampling)
    check_labels(wanted.tasks, wanted.labels, wanted.guided)
    check_paths(wanted.paths)
    model = resolve_model(wanted.model)
    plan = Plan(
        model.sha256,
        wanted.sampling.n,
        tune=wanted.tune,
        reproducible=wanted.reproducible,
        notify=lambda text: notify(Progress("measuring this machine", note=text)),
        stop=stop,
    )
    with (
        open_job(wanted.output) as store,
        closing(open_backend(wanted.backend, model.path, plan)) as backend,
    ):
        spec = JobSpec(
            tasks=wanted.tasks,
            sampling=wanted.sampling,
            model=model.name,
            model_sha256=model.sha256,
            backend=wanted.backend,
            passage_tokens=passage_tokens(backend, wanted.sampling.max_tokens),
            limit=wanted.limit,
            guided=wanted.guided,
            labels=wanted.labels,
        )
        untrained = ", ".join(task.short for task in untrained_tasks(backend, wanted.tasks))
        if untrained:
            warn(f"{model.name} was not trained on {untrained}: expect few or poor rows.")
        passages = iter_passages(
            wanted.paths, backend.count_tokens, spec.passage_tokens, column=wanted.column
        )
        stopped = False
        try:
            ledger = run_job(store, backend, spec, passages, notify, stop)
        except KeyboardInterrupt:
            stopped, ledger = True, store.ledger()
        except BackendError as error:
            kept = write_output(store, wanted.output)
            raise BackendError(
                error.title,
                f"{error.remedy} {kept} rows are in {wanted.output}: the same command goes on.",
            ) from error
        rows = write_output(store, wanted.output)
        return Summary(ledger, rows, store.problems(), stopped or stop())
