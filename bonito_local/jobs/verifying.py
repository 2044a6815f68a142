"""A second model that a job's rows are checked by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from bonito_local.backends.base import EngineOptions, Plan
from bonito_local.backends.registry import open_backend
from bonito_local.errors import UsageError
from bonito_local.jobs.exchange import Verifier
from bonito_local.jobs.prompts import BONITO, writer_of
from bonito_local.models.catalog import ModelFile, resolve_model
from bonito_local.models.fit import metadata


@dataclass(frozen=True, slots=True)
class OpenVerifier:
    """A verifier whose model is loaded, and the hash of its file."""

    verifier: Verifier
    sha256: str


def find_verifier(name: str) -> ModelFile | None:
    """Return the model of that name or path; None where the name is empty.

    Raises:
        BonitoError: it is not there, or no GGUF.
    """
    return resolve_model(name) if name else None


@contextmanager
def open_verifier(
    name: str, plan: Plan, *, reasoning: bool = False
) -> Iterator[OpenVerifier | None]:
    """Load the model of that name beside the one that writes; yields None where it is empty.

    With `reasoning` it reasons before it answers.

    Raises:
        BonitoError: it cannot be loaded, or cannot answer questions.
    """
    model = find_verifier(name)
    if model is None:
        yield None
        return
    own = replace(plan, model_sha256=model.sha256, n=1, tune=False, options=EngineOptions())
    with closing(open_backend("llamacpp", model.path, own)) as backend:
        writer = writer_of("auto", metadata(backend), reasoning=reasoning)
        if writer is BONITO:
            raise UsageError(
                f"{model.name} writes rows, and was not trained to answer questions.",
                "Name a model that follows instructions as the verifier.",
            )
        yield OpenVerifier(Verifier(backend, writer), model.sha256)
