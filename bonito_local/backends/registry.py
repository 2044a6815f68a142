"""Backends by name, and what each can do. An engine is imported only when it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bonito_local.backends.base import Backend, ModelFormat, Plan
from bonito_local.errors import BackendError, UsageError, did_you_mean


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, known without importing it.

    Attributes:
        formats: the kinds of model it takes.
        guided: keeps completions in a shape.
        seeds: a sample's seed decides what is drawn, but for rounding.
        reproducible: the same bits each run, where asked for.
        four_bit: quantizes weights as they load.
    """

    formats: tuple[ModelFormat, ...]
    guided: bool = False
    seeds: bool = True
    reproducible: bool = False
    four_bit: bool = False


@dataclass(frozen=True, slots=True)
class _Engine:
    """What opens a backend, and the extra that installs its engine (None: the package itself)."""

    target: str
    extra: str | None
    able: Capabilities


_BACKENDS: dict[str, _Engine] = {
    "llamacpp": _Engine(
        "bonito_local.backends.llamacpp.opening.open_planned",
        None,
        Capabilities(("gguf",), guided=True, reproducible=True),
    ),
    "transformers": _Engine(
        "bonito_local.backends.transformers.engine.open_planned",
        "transformers",
        Capabilities(("checkpoint",), reproducible=True, four_bit=True),
    ),
    "fake": _Engine(
        "bonito_local.backends.fake.open_planned",
        None,
        Capabilities(("gguf", "checkpoint"), guided=True, reproducible=True),
    ),
}


def backend_names() -> list[str]:
    """Names that `open_backend` takes, the default first."""
    return list(_BACKENDS)


def capabilities(name: str) -> Capabilities:
    """What the backend of this name can do.

    Raises:
        UsageError: no backend has this name; the remedy names the nearest.
    """
    return _engine(name).able


def check_capable(name: str, *, guided: bool = False, plan: Plan | None = None) -> None:
    """Raise UsageError for what is asked of a backend that it cannot do."""
    able, plan = capabilities(name), plan or Plan()
    asked = (
        (guided, "guided", "guided rows", "--guided"),
        (plan.reproducible, "reproducible", "the same bits each run", "--reproducible"),
        (plan.four_bit, "four_bit", "4-bit weights", "--four-bit"),
    )
    for wanted, what, means, option in asked:
        if wanted and not getattr(able, what):
            others = [other for other, engine in _BACKENDS.items() if getattr(engine.able, what)]
            named = ", ".join(other for other in others if other != "fake")
            raise UsageError(
                f"The {name} backend cannot give {means}.",
                f"Leave {option} out, or use --backend {named}.",
            )


def open_backend(name: str, model: Path, plan: Plan | None = None) -> Backend:
    """Import a backend and open `model` with it, at the settings that suit the plan.

    Raises:
        UsageError: no backend has this name; the remedy names the nearest.
        BackendError: its engine is not installed; the remedy says how to install it.
        ModelError: the model cannot be opened.
    """
    engine = _engine(name)
    module, _, function = engine.target.rpartition(".")
    try:
        backend: Backend = getattr(import_module(module), function)(model, plan or Plan())
    except ImportError as error:
        package = (
            f"bonito-local[{engine.extra}]" if engine.extra else "--force-reinstall bonito-local"
        )
        raise BackendError(
            f"The {name} backend cannot be imported: {error}.",
            f"Install its engine: pip install {package}",
        ) from error
    return backend


def _engine(name: str) -> _Engine:
    if name not in _BACKENDS:
        raise UsageError(f"Unknown backend {name!r}.", did_you_mean(name, backend_names()))
    return _BACKENDS[name]
