"""Opens the llama.cpp backend as a job needs it: reproducible, tuned, or at the defaults."""

from __future__ import annotations

from pathlib import Path

from bonito_local.backends.base import Plan
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.backends.llamacpp.measuring import Mix
from bonito_local.backends.llamacpp.remembered import recall, remember
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.tuning import tune

_COMPLETION = 64  # tokens: about the mean of Bonito's rows
_PROMPT = 480  # and of prompts, for models that do not say what passages they want
_HEAD = 24  # of the prompt, around the passage
_WORTH_TUNING = 200 << 20  # bytes: a small model is done before it is tuned


def open_planned(path: Path, plan: Plan) -> LlamaCpp:
    """Open a model with the settings that are fastest for the plan, as far as they are known.

    Raises:
        ModelError: the file is missing, broken, cannot generate, or is too large.
        BackendError: it cannot run on this machine.
    """
    if plan.reproducible:
        return LlamaCpp(path, Settings(n_seq=1))
    if not plan.model_sha256:
        return LlamaCpp(path)
    mix = usual_mix(path, plan.n)
    tuning = recall(plan.model_sha256, mix)
    if tuning is None and plan.tune and path.stat().st_size >= _WORTH_TUNING:
        plan.notify("trying settings for up to 40 s, this once (--no-tune goes without)")
        tuning = tune(path, mix, notify=plan.notify, stop=plan.stop)
        if not plan.stop():
            remember(plan.model_sha256, mix, tuning, path)
    return LlamaCpp(path, tuning.best.settings if tuning else None)


def usual_mix(path: Path, n: int) -> Mix:
    """The lengths to expect of this model's rows."""
    trained = read_header(path).metadata.get("bonito.passage_tokens")
    if not isinstance(trained, int) or not 0 < trained < 1 << 16:
        return Mix(_PROMPT, _COMPLETION, n)
    return Mix(trained + _HEAD, _COMPLETION, n)
