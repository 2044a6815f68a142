"""bonito-local: private documents to instruction-tuning data, on your own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bonito_local.api import Bonito, generate_tasks
    from bonito_local.backends.base import EngineOptions, Sampling
    from bonito_local.tasks import TaskType

__all__ = ["Bonito", "EngineOptions", "Sampling", "TaskType", "generate_tasks"]

_HOME = {
    "Bonito": "bonito_local.api",
    "generate_tasks": "bonito_local.api",
    "EngineOptions": "bonito_local.backends.base",
    "Sampling": "bonito_local.backends.base",
    "TaskType": "bonito_local.tasks",
}


def __getattr__(name: str) -> object:
    """Import public names on first use, so that `import bonito_local` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
