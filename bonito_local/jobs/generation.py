"""What a user asks for: the one thing that the command line, a job file and a worker all build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import JobError
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.own_tasks import as_plain, from_plain
from bonito_local.passages.types import ReadOptions
from bonito_local.shapes import (
    Shape,
    ShapeError,
    either,
    flag,
    list_of,
    maybe,
    number,
    record,
    text,
    whole,
)
from bonito_local.tasks import TaskType


@dataclass(frozen=True, slots=True)
class Generation:
    """What to generate.

    `paths` are documents or folders, `column`, `ocr` and `hidden` are as in `ReadOptions`,
    `limit` ends reading after so many passages, `passage_tokens` is the most tokens of one
    (None: what suits the model), `target_tokens` what they aim at (None: 85% of that), and
    `overlap_tokens` how many each repeats of the one before. `keep_repeats` plans passages too
    that repeat others almost word for word. `prompt` is how the model is
    asked, one of `STYLES`, `prompts` a folder of prompts in place of the package's. With `cover`
    as many rows are planned as a passage has sentences to write about. `verifier` names a second
    model that rows are checked by; `unanswerable` is the share of rows whose question is asked
    again of a passage that does not answer it. With `reasoning` rows get the reasoning that led a
    second reading to their answer. `guided` keeps every
    completion in its task type's shape, `labels` are topic_class's. `tune` and `reproducible` are
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
    prompts: str = ""
    cover: bool = False
    verifier: str = ""
    unanswerable: float = 0.0
    reasoning: bool = False
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
    """What `as_json` was made of, for the job in `output`.

    Raises:
        JobError: it is no such thing: the job's store is damaged.
    """
    try:
        _REQUEST(data, "what it is to make")
    except ShapeError as error:
        raise JobError(
            f"The job in {output} is damaged, or of another version: {error}.",
            "Run the command or the job file that made it, into another folder.",
        ) from error
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


def _of(kind: type, known: Mapping[str, Shape], required: Sequence[str] = ()) -> Shape:
    """Return the shape of a dataclass as plain data: these fields are so, the others plain."""
    shapes = {field.name: known.get(field.name, _PLAIN) for field in fields(kind)}
    return record({name: shapes[name] for name in required}, shapes, open=False)


_TEXTS = list_of(text)
_PLAIN = maybe(either(text, flag, number(), _TEXTS))
_TASK = _of(
    TaskType,
    {
        **dict.fromkeys(("short", "name", "meaning", "instruction", "response", "like"), text),
        "labels": _TEXTS,
        "templates": _TEXTS,
        "limits": list_of(list_of(_PLAIN, 2), 100),
    },
    ("short", "name", "meaning", "instruction", "response", "labels", "templates", "limits"),
)
_SAMPLING = _of(
    Sampling,
    {
        **dict.fromkeys(("n", "max_tokens"), whole(1)),
        "temperature": number(0),
        "top_p": number(0, 1),
        "seed": whole(),
        "stop": _TEXTS,
    },
    ("stop",),
)
_ENGINE = _of(
    EngineOptions,
    {
        **dict.fromkeys(("endpoint", "adapter", "quantization", "dtype"), text),
        "remote": flag,
        "tensor_parallel": whole(1),
        "memory_fraction": number(0, 1),
    },
)
_CLUSTER = _of(ClusterOptions, {"kind": text, "address": text, "actors": whole(0)})
_CHECKS = _of(Thresholds, {"skip": _TEXTS})
_EXPORT = record(
    {
        "format": text,
        "split": record({"shares": list_of(whole(1, 100), 3)}),
        "choice": record({"tasks": _TEXTS, "outcomes": _TEXTS, "decision": text}),
        "strip_source": flag,
    }
)
_COUNT = maybe(whole(1))
_REQUEST = _of(
    Generation,
    {
        **dict.fromkeys(("paths", "other_jobs", "evaluation", "labels"), _TEXTS),
        **dict.fromkeys(("model", "backend", "ocr", "prompt", "folder"), text),
        **dict.fromkeys(
            (
                *("hidden", "guided", "tune", "reproducible", "keep_repeats", "balance"),
                "reasoning",
            ),
            flag,
        ),
        **dict.fromkeys(("limit", "passage_tokens", "target_tokens"), _COUNT),
        "column": maybe(text),
        "overlap_tokens": whole(0),
        "unanswerable": number(0, 1),
        "priority": whole(),
        "tasks": list_of(either(text, _TASK), 10_000),
        "sampling": _SAMPLING,
        "engine": _ENGINE,
        "cluster": _CLUSTER,
        "checks": _CHECKS,
        "exports": list_of(_EXPORT, 100),
    },
    ("paths", "tasks", "model", "sampling", "labels", "folder"),
)


def _export(data: dict[str, Any]) -> Export:
    said = data["choice"]
    choice = Choice(tuple(said["tasks"]), tuple(said["outcomes"]), said["decision"])
    split = Split(tuple(data["split"]["shares"]))
    return Export(data["format"], split, choice, data["strip_source"])
