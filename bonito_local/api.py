"""The Python API, compatible with upstream Bonito's.

    from bonito_local import Bonito, Sampling
    bonito = Bonito("bonito-small")
    rows = bonito.generate_tasks(
        dataset, context_col="input", task_type="nli", sampling_params=Sampling(n=2)
    )

vLLM's `SamplingParams` is taken too; see `as_sampling` for what of it is used. Unlike a job,
this keeps everything in memory and resumes nothing. Of a Bonito model's completions all that parse
are rows, as upstream; those of other models are checked as a job checks each row by itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.backends.base import (
    Backend,
    EngineOptions,
    Plan,
    Sampling,
)
from bonito_local.backends.registry import AUTO, check_capable, open_backend
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import UsageError, did_you_mean
from bonito_local.jobs.drawing import results
from bonito_local.jobs.engine import choose, find_model
from bonito_local.jobs.exchange import Exchange, Manner
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.prompts import BONITO, writer_of
from bonito_local.jobs.seeds import passage_hash
from bonito_local.jobs.spec import JobSpec, check_sampling
from bonito_local.jobs.store import Pending, Result
from bonito_local.models.fit import metadata
from bonito_local.tasks import TaskType
from bonito_local.tasks import task_type as find_task_type

if TYPE_CHECKING:
    from datasets import Dataset

# Parameters of vLLM that change what is drawn, with the values that change nothing.
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "top_k": (0, -1, None),
    "min_p": (0.0, None),
    "min_tokens": (0, None),
    "presence_penalty": (0.0, None),
    "frequency_penalty": (0.0, None),
    "repetition_penalty": (1.0, None),
    "logit_bias": (None, {}),
    "stop_token_ids": (None, []),
    "bad_words": (None, []),
    "allowed_token_ids": (None, []),
}


class Bonito:
    """A loaded model that writes rows from passages; also a context manager.

    Args:
        model: A model's name, or the path of a GGUF file or of a checkpoint.
        backend: The engine, as in `bonito-local generate --backend`.
        engine: What there is to say about it, as in a job file's `[engine]`.

    Raises:
        ModelError: the model file is missing or broken.
        UsageError: no model or engine has that name, or the engine cannot do that.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        backend: str = "llamacpp",
        *,
        engine: EngineOptions | None = None,
    ) -> None:
        plan = Plan(options=engine or EngineOptions())
        if backend == AUTO:
            backend, _ = choose(model, plan)
        check_capable(backend, plan=plan)
        found = find_model(model, backend, plan.options)
        self._backend: Backend = open_backend(backend, found.file.path, plan)
        self._name = backend
        self._writer = writer_of("auto", metadata(self._backend))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the model's memory."""
        self._backend.close()

    def generate_tasks(
        self,
        text_dataset: Dataset,
        context_col: str,
        task_type: str,
        sampling_params: Any = None,
        **_: Any,
    ) -> Dataset:
        """Return a dataset with `input` and `output`: up to n rows for each row of `text_dataset`.

        Completions that do not parse, or that a check of a job rejects where the model is not a
        Bonito, are dropped; the order is that of `text_dataset`.
        A passage that does not fit the model's context is dropped with a warning.

        Args:
            text_dataset: Rows with a text column; other columns are not kept.
            context_col: The name of the text column.
            task_type: Short or full name of a task type.
            sampling_params: A `Sampling`, or vLLM's `SamplingParams`; the paper's if None.

        Raises:
            UsageError: no such column or task type, or a value nothing can be drawn with.
            BackendError: the engine failed.
        """
        from datasets import Dataset, Features, Value

        task, sampling = find_task_type(task_type), as_sampling(sampling_params)
        if context_col not in text_dataset.column_names:
            near = did_you_mean(context_col, list(text_dataset.column_names))
            raise UsageError(f"The dataset has no column {context_col!r}.", near)
        texts: list[str] = list(text_dataset[context_col])
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(
                f"Column {context_col!r} holds values that are not text.",
                "Leave those rows out with `dataset.filter`.",
            )
        ended = sorted(self._results(texts, task, sampling), key=lambda result: result.id)
        _warn_of_failures(ended, sampling.n)
        kept = ("accepted", "rejected") if self._writer is BONITO else ("accepted",)
        pairs = [(r.instruction, r.response) for r in ended if r.outcome in kept]
        rows = {"input": [pair[0] for pair in pairs], "output": [pair[1] for pair in pairs]}
        text = Value("string")
        return Dataset.from_dict(rows, features=Features({"input": text, "output": text}))

    def _results(self, texts: list[str], task: TaskType, sampling: Sampling) -> Iterator[Result]:
        """Return how each sample ends; their ids count them text by text."""
        # Rows are compared with no others here.
        alone = Thresholds(retrieval_rank=0, near_duplicate=0)
        checks = alone.settled(self._writer is not BONITO)
        spec = JobSpec((task,), sampling, "", "", self._name, passage_tokens=0, checks=checks)
        exchange = Exchange(Manner(spec, {task.short: task}, Judge(checks), self._writer))
        pending = (
            Pending(at * sampling.n + i, at, task.short, i, passage_hash(text), text)
            for at, text in enumerate(texts)
            for i in range(sampling.n)
        )
        exchange.plan(pending, len(texts) * sampling.n)
        return results(self._backend, exchange)


def generate_tasks(
    text_dataset: Dataset,
    context_col: str,
    task_type: str,
    sampling_params: Any = None,
    model: str = DEFAULT_MODEL,
    backend: str = "llamacpp",
) -> Dataset:
    """Load a model, call `Bonito.generate_tasks` once, and free the model."""
    with Bonito(model, backend) as bonito:
        return bonito.generate_tasks(text_dataset, context_col, task_type, sampling_params)


def as_sampling(params: Any) -> Sampling:
    """Return `params` as a `Sampling`; anything with vLLM's attribute names will do.

    What cannot be honoured (`top_k`, penalties, ...) is ignored with a warning. A
    seed of None is 0: the same call gives the same rows.

    Raises:
        UsageError: a value nothing can be drawn with.
    """
    if params is None:
        return Sampling()
    sampling = params if isinstance(params, Sampling) else _translated(params)
    check_sampling(sampling)
    return sampling


def _translated(params: Any) -> Sampling:
    default = Sampling()
    ignored = [
        name
        for name, neutral in _NEUTRAL.items()
        if getattr(params, name, neutral[0]) not in neutral
    ]
    if ignored:
        names = ", ".join(ignored)
        warnings.warn(f"Ignored sampling parameters: {names}.", stacklevel=4)
    stop = getattr(params, "stop", None) or ()
    max_tokens = getattr(params, "max_tokens", None)
    return Sampling(
        n=getattr(params, "n", default.n),
        temperature=getattr(params, "temperature", default.temperature),
        top_p=getattr(params, "top_p", default.top_p),
        max_tokens=default.max_tokens if max_tokens is None else max_tokens,
        seed=getattr(params, "seed", None) or 0,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
    )


def _warn_of_failures(results: Iterable[Result], n: int) -> None:
    failed = [result for result in results if result.outcome == "failed"]
    if failed:
        passages = len({result.id // n for result in failed})
        warnings.warn(f"{passages} passages gave no rows: {failed[0].reason}", stacklevel=3)
