"""Which engine and model a request means, and whether they can do what it asks: before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local.backends.base import EngineOptions, Plan
from bonito_local.backends.endpoint import check_reachable, parse_endpoint
from bonito_local.backends.gpus import find_gpus
from bonito_local.backends.registry import AUTO, BACKENDS, capabilities, check_capable
from bonito_local.errors import UsageError
from bonito_local.jobs.generation import Generation
from bonito_local.models.catalog import ModelFile, resolve_model


@dataclass(frozen=True, slots=True)
class Model:
    """What rows are drawn from; `adapter_sha256` is empty where there is no adapter."""

    file: ModelFile
    adapter_sha256: str = ""


def settle(wanted: Generation) -> tuple[Generation, str]:
    """Replace `auto` by the engine that suits the model and the machine, and say why.

    Raises:
        UsageError: none that is installed loads the model.
    """
    if wanted.backend != AUTO:
        return wanted, ""
    name, why = choose(wanted.model, _plan(wanted), guided=wanted.guided)
    return replace(wanted, backend=name), why


def check_engine(wanted: Generation) -> Model:
    """Return the model, of a format that the engine takes.

    Raises:
        BonitoError: the engine cannot do what is asked, or the model is not there.
    """
    return find_model(wanted.model, wanted.backend, _plan(wanted), guided=wanted.guided)


def find_model(name: str, backend: str, plan: Plan, *, guided: bool = False) -> Model:
    """Return the model of this name, of a format that `backend` takes.

    Raises:
        BonitoError: the engine cannot do what is asked, or the model is not there.
    """
    check_capable(backend, guided=guided, plan=plan)
    way_out(plan.options)
    return Model(resolve_model(name, capabilities(backend).formats))


def engine_plan(
    wanted: Generation,
    model: Model,
    notify: Callable[[str], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Plan:
    """What the engine may know of the job."""
    return replace(_plan(wanted), model_sha256=model.file.sha256, notify=notify, stop=stop)


def way_out(options: EngineOptions) -> tuple[str, int] | None:
    """The one address that the air gap has to leave open, if there is one.

    Raises:
        UsageError: it is no address, or beyond this machine and not allowed.
    """
    if not options.endpoint:
        return None
    endpoint = parse_endpoint(options.endpoint)
    check_reachable(endpoint, remote=options.remote)
    return endpoint.address


def sent_to(options: EngineOptions) -> str:
    """The machine that passages leave this one for; empty where they stay.

    Raises:
        UsageError: the endpoint is no address.
    """
    if not options.endpoint:
        return ""
    endpoint = parse_endpoint(options.endpoint)
    return "" if endpoint.loopback else endpoint.host


def choose(model: str, plan: Plan, *, guided: bool = False) -> tuple[str, str]:
    """The backend that suits the model and the machine, and why.

    Raises:
        UsageError: none that is installed loads the model.
    """
    if plan.options.endpoint:
        return "openai", "an endpoint is named"
    if not Path(model).expanduser().is_dir():
        return "llamacpp", "the model is a GGUF file"
    gpu = any(found.maker == "NVIDIA" for found in find_gpus())
    order = ("vllm", "transformers") if gpu else ("transformers", "vllm")
    able = [name for name in order if name in BACKENDS and _can(name, plan, guided)]
    if not able:
        return "transformers", "the model is a checkpoint"  # what it cannot do is said next
    name = next((name for name in able if BACKENDS[name].installed), "")
    if not name:
        raise UsageError(
            f"{model} is a checkpoint, and no engine for one is installed.",
            f"{BACKENDS[able[0]].how_to_install}, or make a GGUF of it with "
            "`bonito-local convert`.",
        )
    why = f"the model is a checkpoint and there is {'an' if gpu else 'no'} NVIDIA GPU"
    if gpu and name != able[0]:
        why += f" ({able[0]} would be faster: {BACKENDS[able[0]].how_to_install})"
    return name, why


def _can(name: str, plan: Plan, guided: bool) -> bool:
    try:
        check_capable(name, guided=guided, plan=plan)
    except UsageError:
        return False
    return True


def _plan(wanted: Generation) -> Plan:
    return Plan(
        n=wanted.sampling.n,
        tune=wanted.tune,
        reproducible=wanted.reproducible,
        options=wanted.engine,
    )
