"""Backends by name. An engine is imported only when it is opened."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from bonito_local.backends.base import Backend, Plan
from bonito_local.errors import BackendError, UsageError, did_you_mean

# Name -> what opens it, and the extra that installs its engine (None: comes with the package).
_BACKENDS: dict[str, tuple[str, str | None]] = {
    "llamacpp": ("bonito_local.backends.llamacpp.opening.open_planned", None),
    "fake": ("bonito_local.backends.fake.open_planned", None),
}


def backend_names() -> list[str]:
    """Names that `open_backend` takes, the default first."""
    return list(_BACKENDS)


def open_backend(name: str, model: Path, plan: Plan | None = None) -> Backend:
    """Import a backend and open `model` with it, at the settings that suit the plan.

    Raises:
        UsageError: no backend has this name; the remedy names the nearest.
        BackendError: its engine is not installed; the remedy says how to install it.
        ModelError: the model cannot be opened.
    """
    if name not in _BACKENDS:
        raise UsageError(f"Unknown backend {name!r}.", did_you_mean(name, backend_names()))
    target, extra = _BACKENDS[name]
    module, _, function = target.rpartition(".")
    try:
        backend: Backend = getattr(import_module(module), function)(model, plan or Plan())
    except ImportError as error:
        package = f"bonito-local[{extra}]" if extra else "--force-reinstall bonito-local"
        raise BackendError(
            f"The {name} backend cannot be imported: {error}.",
            f"Install its engine: pip install {package}",
        ) from error
    return backend
