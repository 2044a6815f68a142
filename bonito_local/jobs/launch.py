"""From what a user filled in to a running job: the job file is written, read again and started."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from bonito_local.backends.base import EngineOptions
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import BonitoError
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.generate import prepare
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.newjob import write_job
from bonito_local.jobs.own_tasks import write_task
from bonito_local.jobs.worker import start
from bonito_local.tasks import TaskType


def free_output(folder: Path, stem: str) -> Path:
    """A folder for a dataset that does not exist yet, nor does its job file."""
    number, name = 1, stem
    while (folder / name).exists() or job_file(folder / name).exists():
        number += 1
        name = f"{stem}-{number}"
    return folder / name


def job_file(output: Path) -> Path:
    """Where the job file of a dataset is written: beside it."""
    return output.with_name(f"{output.name}.toml")


def launch(wanted: Generation) -> int:
    """Write `wanted`, whose paths are absolute, to its job file and start it; return its process.

    The same as `bonito-local new`, then `bonito-local run --detach`.

    Raises:
        BonitoError: it cannot be done; the job file is not left behind.
    """
    file = job_file(wanted.output)
    save(wanted, file)
    try:
        read = read_job(file)
        prepare(read)
    except BonitoError:
        file.unlink(missing_ok=True)
        shutil.rmtree(file.with_name(f"{file.stem}.tasks"), ignore_errors=True)
        raise
    return start(read.output)


def save(wanted: Generation, file: Path) -> None:
    """Write what is wanted as a job file.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    folder = wanted.folder or Path()
    others: dict[str, object] = {
        **_unusual(wanted.checks),
        **_unusual(wanted.engine),
        **_unusual(wanted.cluster),
        **_exports(wanted.exports),
        "prompt": wanted.prompt if wanted.prompt != "auto" else None,
        "prompts": wanted.prompts or None,
        "verifier": wanted.verifier or None,
        "cover": wanted.cover or None,
        "unanswerable": wanted.unanswerable or None,
        "reasoning": wanted.reasoning or None,
        "evaluation": [str(folder / path) for path in wanted.evaluation] or None,
        "other_jobs": [str(folder / path) for path in wanted.other_jobs] or None,
        "stop": list(wanted.sampling.stop) or None,
        "tune": None if wanted.tune else False,
        "guided": wanted.guided or None,
        "labels": list(wanted.labels) or None,
        "reproducible": wanted.reproducible or None,
        "column": wanted.column,
        "ocr": wanted.ocr or None,
        "hidden": wanted.hidden or None,
        "limit": wanted.limit,
        "passage_tokens": wanted.passage_tokens,
        "target_tokens": wanted.target_tokens,
        "overlap_tokens": wanted.overlap_tokens or None,
        "balance": wanted.balance or None,
        "keep_repeats": wanted.keep_repeats or None,
        "priority": wanted.priority or None,
    }
    write_job(
        file,
        [str(path) for path in wanted.paths],
        [_named(task, file) for task in wanted.tasks],
        str(wanted.output),
        wanted.model,
        wanted.backend,
        wanted.sampling,
        {key: value for key, value in others.items() if value is not None},
    )


def _named(task: TaskType, file: Path) -> str:
    """What a job file calls a task type; one of the user's own is written to a file beside it."""
    if not task.own:
        return task.short
    path = file.with_name(f"{file.stem}.tasks") / f"{task.short}.toml"
    write_task(task, path)
    return str(path)


def _exports(exports: Sequence[Export]) -> dict[str, object]:
    """The keys of a job file that mean these, which are alike but for their formats."""
    if not exports:
        return {}
    first = exports[0]
    shares = first.split.shares
    return {
        "formats": [export.format for export in exports],
        "split": "/".join(map(str, shares)) if len(shares) > 1 else None,
        "outcomes": list(first.choice.outcomes) or None,
        "decision": first.choice.decision or None,
        "strip_source": first.strip_source or None,
    }


def _unusual(options: Thresholds | EngineOptions | ClusterOptions) -> dict[str, object]:
    """The fields that have another value than they usually have."""
    usual = type(options)()
    return {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in fields(options)
        if (value := getattr(options, field.name)) != getattr(usual, field.name)
    }
