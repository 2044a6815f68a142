"""What is filled in for a new job, and the request it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.backends.base import Sampling
from bonito_local.backends.registry import capabilities
from bonito_local.bounds import user_path
from bonito_local.errors import UsageError
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.guided import check_labels
from bonito_local.jobs.spec import check_sampling
from bonito_local.models.catalog import is_name
from bonito_local.tasks import TaskType


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of the form; numbers are texts, as they were typed."""

    paths: tuple[Path, ...] = ()
    tasks: tuple[TaskType, ...] = ()
    output: str = ""
    model: str = DEFAULT_MODEL
    backend: str = "llamacpp"
    n: str = "1"
    temperature: str = "0.5"
    top_p: str = "0.95"
    max_tokens: str = "256"
    seed: str = "0"
    column: str = ""
    limit: str = ""
    labels: str = ""
    guided: bool = False
    reproducible: bool = False
    endpoint: str = ""

    def request(self, like: Generation | None = None) -> Generation:
        """What the form means; what it does not ask about is as in `like`, or as usual.

        Raises:
            UsageError: something is missing or cannot be; the remedy says what.
        """
        if not self.paths:
            raise UsageError("No documents are chosen.", "Choose some with Space in step 1.")
        if not self.tasks:
            raise UsageError("No task type is chosen.", "Choose some with Space in step 2.")
        if not self.output.strip():
            raise UsageError("There is no folder for the dataset.", "Name one in step 3.")
        sampling = replace(
            like.sampling if like else Sampling(),
            n=_whole("Rows per passage", self.n),
            temperature=_number("Temperature", self.temperature),
            top_p=_number("Top p", self.top_p),
            max_tokens=_whole("Longest row", self.max_tokens),
            seed=_whole("Seed", self.seed),
        )
        check_sampling(sampling)
        labels = tuple(label.strip() for label in self.labels.split(",") if label.strip())
        check_labels(self.tasks, labels)
        limit = _whole("Most passages", self.limit) if self.limit.strip() else None
        if limit is not None and limit < 1:
            raise UsageError("Most passages is below 1.", "Leave it empty to read all.")
        model = self.model.strip()
        able = capabilities(self.backend)
        output = user_path(self.output.strip()).absolute()
        base = like or Generation((), (), output, "", tune=True)
        endpoint = self.endpoint.strip() if "endpoint" in able.options else ""
        return replace(
            base,
            paths=tuple(path.absolute() for path in self.paths),
            tasks=self.tasks,
            output=output,
            # A name is looked up; a path must hold wherever the job runs.
            model=model if is_name(model) else str(user_path(model).absolute()),
            backend=self.backend,
            sampling=sampling,
            column=self.column.strip() or None,
            limit=limit,
            guided=self.guided and able.guided,
            labels=labels,
            reproducible=self.reproducible and able.reproducible,
            engine=replace(base.engine, endpoint=endpoint),
        )


def draft_of(wanted: Generation) -> Draft:
    """The form as it would be filled in for a request; the output is left to choose."""
    folder, sampling = wanted.folder or Path(), wanted.sampling
    return Draft(
        paths=tuple(folder / path for path in wanted.paths),
        tasks=wanted.tasks,
        model=_model(wanted.model, folder),
        backend=wanted.backend,
        n=str(sampling.n),
        temperature=str(sampling.temperature),
        top_p=str(sampling.top_p),
        max_tokens=str(sampling.max_tokens),
        seed=str(sampling.seed),
        column=wanted.column or "",
        limit=str(wanted.limit or ""),
        labels=", ".join(wanted.labels),
        guided=wanted.guided,
        reproducible=wanted.reproducible,
        endpoint=wanted.engine.endpoint,
    )


def _model(model: str, folder: Path) -> str:
    """A name as it is, a path as seen from anywhere."""
    return model if is_name(model) else str(folder / user_path(model))


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"{name} is {text!r}.", "Write a whole number.") from error


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{name} is {text!r}.", "Write a number, such as 0.5.") from error
