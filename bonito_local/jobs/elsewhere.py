"""What rows of a job must not be: rows of other jobs, or of an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.evaluation import EvaluationSet
from bonito_local.checks.sketch import Sketch, sketch
from bonito_local.errors import JobError, UsageError
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.judging import CONTAMINATED
from bonito_local.jobs.likeness import Known
from bonito_local.jobs.store import Store
from bonito_local.tasks import Pair

_NONE = Sketch(b"", b"", (), 1.0)


def check_elsewhere(wanted: Generation) -> None:
    """Raise UsageError for other jobs or evaluation sets that are not there."""
    for path in wanted.other_jobs:
        if not store_path(path).exists():
            raise UsageError(
                f"There is no job in {path} (checks.other_jobs).",
                "Name the output folders of other jobs.",
            )
        if path.resolve() == wanted.output.resolve():
            raise UsageError(f"{path} is this job itself (checks.other_jobs).", "Leave it out.")
    for path in wanted.evaluation:
        if not path.exists():
            raise UsageError(f"The evaluation set {path} does not exist.", "See checks.evaluation.")


def compare(store: Store, wanted: Generation, evaluation: EvaluationSet | None) -> None:
    """Let the job know what its rows must not be, and look for it among those it has.

    Raises:
        JobError: another job cannot be read.
    """
    least = wanted.checks.near_duplicate
    mark = "\n".join(f"{path.resolve()} {_state(store_path(path))}" for path in wanted.other_jobs)
    if mark != (store.load("elsewhere") or ""):
        store.set_elsewhere(mark, _rows(wanted.other_jobs, least), least)
    mark = evaluation.mark if evaluation else ""
    if mark != (store.load("evaluation") or ""):
        if evaluation:
            store.reject(evaluation.holds, CONTAMINATED)
        store.save("evaluation", mark)


def _rows(jobs: Sequence[Path], least: float) -> Iterator[Known]:
    for path in jobs:
        try:
            with closing(Store(store_path(path), create=False)) as other:
                for row in other.chosen():
                    pair = Pair(row.input, row.output)
                    found = sketch(pair, row.passage, least) if least else _NONE
                    yield Known(pair_digest(pair), found)
        except JobError as error:
            raise JobError(f"checks.other_jobs: {error.title}", error.remedy) from error


def _state(path: Path) -> str:
    """What changes when a store does."""
    found = [file.stat() for file in (path, path.with_name(path.name + "-wal")) if file.exists()]
    return " ".join(f"{stat.st_size}/{stat.st_mtime_ns}" for stat in found)
