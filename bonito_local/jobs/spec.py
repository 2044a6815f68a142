"""What a job is asked to make, and what of it may not change afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import UsageError
from bonito_local.jobs.own_tasks import find_tasks
from bonito_local.passages.split import Lengths
from bonito_local.tasks import TaskType

Setting = str | int | float


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One run's request: which tasks, drawn how, by which model and engine.

    `model_sha256` is the model file's hash, `passage_tokens` the most tokens of
    a passage, `target_tokens` and `overlap_tokens` are as in `Lengths`, `limit` is the
    most passages to plan, `keep_repeats` plans those too that repeat others. Of `engine`
    only what changes the weights matters,
    `adapter_sha256` being the adapter's hash.
    """

    tasks: tuple[TaskType, ...]
    sampling: Sampling
    model: str
    model_sha256: str
    backend: str
    passage_tokens: int
    target_tokens: int | None = None
    overlap_tokens: int = 0
    keep_repeats: bool = False
    limit: int | None = None
    guided: bool = False
    labels: tuple[str, ...] = ()
    checks: Thresholds = field(default_factory=Thresholds)
    engine: EngineOptions = field(default_factory=EngineOptions)
    adapter_sha256: str = ""
    instruct: bool = False

    @property
    def lengths(self) -> Lengths:
        """How long passages may be."""
        return Lengths(self.passage_tokens, self.target_tokens, self.overlap_tokens)

    def settings(self) -> dict[str, Setting]:
        """What every row of a job shares.

        Tasks, passages and `n` are not in it: more of them add rows, while another
        temperature or model would mix two kinds of rows in one dataset.
        """
        settings: dict[str, Setting] = {
            "model": self.model,
            "model_sha256": self.model_sha256,
            "backend": self.backend,
            **drawing(self.sampling),
            "passage_tokens": self.passage_tokens,
        }
        # Not there where not asked for: jobs from before there was such a thing go on.
        if self.target_tokens is not None:
            settings["target_tokens"] = self.target_tokens
        if self.overlap_tokens:
            settings["overlap_tokens"] = self.overlap_tokens
        if self.guided:
            settings["guided"] = ",".join(self.labels) or "yes"
        elif self.labels:
            settings["labels"] = ",".join(self.labels)
        if self.instruct:
            settings["prompt"] = "instruct"
        if changed := self.checks.changed():
            settings["checks"] = changed
        changed_weights = {
            "quantization": self.engine.quantization,
            "dtype": self.engine.dtype,
            "adapter": self.adapter_sha256,
        }
        return settings | {name: value for name, value in changed_weights.items() if value}


def drawing(sampling: Sampling) -> dict[str, Setting]:
    """How every row of a job is drawn."""
    return {
        "temperature": float(sampling.temperature),
        "top_p": float(sampling.top_p),
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": "\n".join(sampling.stop),
    }


def parse_tasks(names: str, folder: Path | None = None) -> tuple[TaskType, ...]:
    """Return the task types of a comma-separated list, each once, in order.

    A file or a folder of the user's own is relative to `folder` (None: the current one).

    Raises:
        UsageError: a name is unknown, or the list is empty.
    """
    named = [name.strip() for name in names.split(",") if name.strip()]
    tasks = dict.fromkeys(task for name in named for task in find_tasks(name, folder))
    if not tasks:
        raise UsageError("No task type given.", "See `bonito-local tasks` for the 16 there are.")
    return tuple(tasks)


def check_sampling(sampling: Sampling) -> None:
    """Raise UsageError for a value no engine can sample with."""
    if sampling.n < 1:
        raise UsageError(f"n is {sampling.n}.", "Ask for 1 or more rows per passage and task.")
    if not (math.isfinite(sampling.temperature) and sampling.temperature >= 0):
        raise UsageError(
            f"temperature is {sampling.temperature}.", "Use 0 (greedy) or more; Bonito's is 0.5."
        )
    if not 0 < sampling.top_p <= 1:
        raise UsageError(
            f"top_p is {sampling.top_p}.", "Use more than 0 and at most 1; Bonito's is 0.95."
        )
    if sampling.max_tokens < 1:
        raise UsageError(f"max_tokens is {sampling.max_tokens}.", "Use 1 or more; Bonito's is 256.")
    if "" in sampling.stop:
        raise UsageError("A stop string is empty.", "Remove it.")
