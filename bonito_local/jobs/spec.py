"""What a job is asked to make, and what of it may not change afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.bounds import MOST_WHOLE, check_range
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import UsageError
from bonito_local.jobs.own_tasks import find_tasks
from bonito_local.passages.sentences import candidates
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
    `adapter_sha256` being the adapter's hash. `prompts_sha256` is that of the prompts for a model
    that is asked by instructions. With `cover`, a passage gets as many rows as it has sentences;
    with `reasoning`, rows have the reasoning that leads to their answer.
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
    prompts_sha256: str = ""
    cover: bool = False
    verifier_sha256: str = ""
    reasoning: bool = False

    @property
    def lengths(self) -> Lengths:
        """How long passages may be."""
        return Lengths(self.passage_tokens, self.target_tokens, self.overlap_tokens)

    def rows(self, passage: str) -> int:
        """Return how many rows of each task type a passage gets."""
        if not self.cover:
            return self.sampling.n
        return max(self.sampling.n, -(-len(candidates(passage)) // len(self.tasks)))

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
            settings["prompts"] = self.prompts_sha256[:16]
        if self.reasoning:
            settings["reasoning"] = "yes"
        if changed := self.checks.changed():
            settings["checks"] = changed
        changed_weights = {
            "quantization": self.engine.quantization,
            "dtype": self.engine.dtype,
            "adapter": self.adapter_sha256,
            "verifier": self.verifier_sha256,
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
    named = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    tasks = dict.fromkeys(task for name in named for task in find_tasks(name, folder))
    if not tasks:
        raise UsageError("No task type given.", "See `bonito-local tasks` for the 16 there are.")
    return tuple(tasks)


def check_sampling(sampling: Sampling) -> None:
    """Raise UsageError for a value no engine can sample with."""
    rows = f"Ask for 1 or more rows per passage and task, at most {MOST_ROWS:,}."
    check_range("n", sampling.n, 1, MOST_ROWS, rows)
    if sampling.temperature != 0:
        # Engines reckon in 32 bits, in which smaller ones are 0 and larger ones infinite.
        check_range(
            "temperature",
            sampling.temperature,
            LEAST_TEMPERATURE,
            MOST_TEMPERATURE,
            f"Use 0 (greedy), or {LEAST_TEMPERATURE} to {MOST_TEMPERATURE}; Bonito's is 0.5.",
        )
    least = f"Use more than 0 (at least {LEAST_TOP_P:f}) and at most 1; Bonito's is 0.95."
    check_range("top_p", sampling.top_p, LEAST_TOP_P, 1, least)
    tokens = f"Use 1 or more, at most {MOST_TOKENS:,}; Bonito's is 256."
    check_range("max_tokens", sampling.max_tokens, 1, MOST_TOKENS, tokens)
    check_range("seed", sampling.seed, -MOST_WHOLE, MOST_WHOLE)
    if "" in sampling.stop:
        raise UsageError("A stop string is empty.", "Remove it.")
    if len(sampling.stop) > MOST_STOPS or any(len(s) > LONGEST_STOP for s in sampling.stop):
        raise UsageError(
            f"There are more than {MOST_STOPS} stop strings, or one is longer than "
            f"{LONGEST_STOP} characters.",
            "Name those that matter.",
        )


def check_plan(
    limit: int | None, passage_tokens: int | None, target_tokens: int | None, overlap: int
) -> None:
    """Raise UsageError for a number of passages, or lengths of them, that cannot be."""
    named = {"limit": limit, "passage_tokens": passage_tokens, "target_tokens": target_tokens}
    for name, value in named.items():
        if value is not None:
            most = MOST_PASSAGES if name == "limit" else MOST_TOKENS
            hint = f"Use 1 or more, at most {most:,}, or leave it out."
            check_range(f"splitting.{name}", value, 1, most, hint)
    check_range("splitting.overlap_tokens", overlap, 0, MOST_TOKENS)


MOST_ROWS = 10_000
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.001, 100.0
LEAST_TOP_P = 0.000001
MOST_TOKENS = 1 << 20
MOST_PASSAGES = 1_000_000_000
MOST_STOPS, LONGEST_STOP = 64, 200
