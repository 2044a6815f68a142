"""What a user asks for: the one thing that the command line, a job file and a worker all build."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.checks.thresholds import Thresholds
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.own_tasks import as_plain, from_plain
from bonito_local.passages.types import ReadOptions
from bonito_local.tasks import TaskType


@dataclass(frozen=True, slots=True)
class Generation:
    """What to generate.

    `paths` are documents or folders, `column`, `ocr` and `hidden` are as in `ReadOptions`,
    `limit` ends reading after so many passages, `passage_tokens` is the most tokens of one
    (None: what suits the model), `target_tokens` what they aim at (None: 85% of that), and
    `overlap_tokens` how many each repeats of the one before. `keep_repeats` plans passages too
    that repeat others almost word for word. `prompt` is how the model is
    asked, one of `STYLES`. `guided` keeps every completion
    in its task type's shape, `labels` are topic_class's. `tune` and `reproducible` are
    as in `Plan`, `engine` is its `options`; `cluster` is where engines run.
    Of jobs that wait for an engine the one of highest `priority` is next. `checks` is what
    rows have to pass; they must not be rows of `other_jobs`, named by their outputs, nor of
    `evaluation` sets; with `balance` as many of each label go into the dataset. Relative paths
    are relative to `folder` (None: the current one).
    `exports` are written at the end, beside the dataset.
    """

    paths: tuple[Path, ...]
    tasks: tuple[TaskType, ...]
    output: Path
    model: str
    backend: str = "llamacpp"
    sampling: Sampling = field(default_factory=Sampling)
    column: str | None = None
    ocr: str = ""
    hidden: bool = False
    limit: int | None = None
    prompt: str = "auto"
    guided: bool = False
    labels: tuple[str, ...] = ()
    tune: bool = False
    reproducible: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions)
    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    passage_tokens: int | None = None
    target_tokens: int | None = None
    overlap_tokens: int = 0
    keep_repeats: bool = False
    priority: int = 0
    checks: Thresholds = field(default_factory=Thresholds)
    other_jobs: tuple[Path, ...] = ()
    evaluation: tuple[Path, ...] = ()
    balance: bool = False
    folder: Path | None = None
    exports: tuple[Export, ...] = ()

    @property
    def reading(self) -> ReadOptions:
        """How documents are read."""
        return ReadOptions(self.column, self.ocr, self.hidden)


_PATHS = ("paths", "other_jobs", "evaluation")


def as_json(wanted: Generation) -> dict[str, Any]:
    """`wanted` as plain data; the output is where it lies, and not part of it."""
    data = asdict(wanted)
    del data["output"]
    return data | {
        **{name: [str(path) for path in getattr(wanted, name)] for name in _PATHS},
        "tasks": [as_plain(task) for task in wanted.tasks],
        "folder": str((wanted.folder or Path()).resolve()),
        "exports": [asdict(export) for export in wanted.exports],
    }


def from_json(data: dict[str, Any], output: Path) -> Generation:
    """What `as_json` was made of, for the job in `output`."""
    sampling = Sampling(**data["sampling"] | {"stop": tuple(data["sampling"]["stop"])})
    # A job from before there were thresholds has none.
    checks = dict(data.get("checks", {}))
    kept = data | {
        **{name: tuple(map(Path, data.get(name, ()))) for name in _PATHS},
        "tasks": tuple(map(from_plain, data["tasks"])),
        "sampling": sampling,
        "labels": tuple(data["labels"]),
        # A job from before there was a choice has none.
        "engine": EngineOptions(**data.get("engine", {})),
        "cluster": ClusterOptions(**data.get("cluster", {})),
        "checks": Thresholds(**checks | {"skip": tuple(checks.get("skip", ()))}),
        "folder": Path(data["folder"]),
        # Not there in a request of an earlier version.
        "exports": tuple(map(_export, data.get("exports", ()))),
    }
    return Generation(output=output, **kept)


def _export(data: dict[str, Any]) -> Export:
    said = data["choice"]
    choice = Choice(tuple(said["tasks"]), tuple(said["outcomes"]), said["decision"])
    split = Split(tuple(data["split"]["shares"]))
    return Export(data["format"], split, choice, data["strip_source"])
