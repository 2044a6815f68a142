"""Which engine and model a request means, and whether they can do what it asks: before any work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bonito_local import airgap
from bonito_local.airgap.gap import NAMESPACE, Enforcement
from bonito_local.backends.adapter import read_adapter
from bonito_local.backends.base import Backend, EngineOptions, Plan
from bonito_local.backends.cluster.options import check_cluster
from bonito_local.backends.endpoint import check_reachable, parse_endpoint
from bonito_local.backends.gpus import find_gpus
from bonito_local.backends.registry import (
    AUTO,
    BACKENDS,
    capabilities,
    check_capable,
    check_installed,
    open_backend,
)
from bonito_local.bounds import user_path
from bonito_local.errors import AirGapError, UsageError
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
    check_cluster(wanted.cluster)
    if wanted.cluster.kind and capabilities(wanted.backend).formats == ("name",):
        raise UsageError(
            f"The {wanted.backend} backend asks a server, which a cluster has no use for.",
            "Leave the cluster out; the server spreads the work.",
        )
    hot = wanted.sampling.temperature
    check_capable(wanted.backend, guided=wanted.guided, temperature=hot, plan=_plan(wanted))
    model = find_model(wanted.model, wanted.backend, wanted.engine)
    check_installed(wanted.backend)
    return model


def find_model(name: str, backend: str, options: EngineOptions) -> Model:
    """Return the model of this name, of a format that `backend` takes, and its adapter.

    Raises:
        BonitoError: one of them is not there, or the endpoint is no address or not allowed.
    """
    way_out(options)
    file = resolve_model(name, capabilities(backend).formats)
    adapter = options.adapter
    return Model(file, read_adapter(user_path(adapter)).sha256 if adapter else "")


def open_engine(wanted: Generation, model: Model, plan: Plan) -> Backend:
    """Open the engine in this process, or engines on the cluster that is wanted.

    Raises:
        BonitoError: an engine, the model or the cluster cannot be used.
    """
    if not wanted.cluster.kind:
        return open_backend(wanted.backend, model.file.path, plan)
    from bonito_local.backends.cluster.engine import open_cluster

    return open_cluster(wanted.cluster, wanted.backend, model.file.path, plan)


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


def give_up_network(wanted: Generation, *, online: bool = False) -> Enforcement:
    """Enter the air gap, but for what the job's engine has to reach; see `airgap.enter`.

    The nodes of a cluster that the user runs talk to this process from ports of their own, so
    joining one leaves the network open to it.

    Raises:
        UsageError: an address is none, or is not allowed.
        AirGapError: this system cannot leave open what is needed and nothing else.
    """
    sockets = wanted.backend in BACKENDS and capabilities(wanted.backend).local_sockets
    local = wanted.cluster.local or sockets
    joins = bool(wanted.cluster.address)
    held = airgap.enter(
        online=online or joins, local_sockets=local, endpoint=way_out(wanted.engine)
    )
    if local and NAMESPACE not in held.layers and held.by_the_kernel:
        raise AirGapError(
            f"{'vLLM' if sockets else 'Ray'} needs sockets of this machine, which the air gap can "
            f"leave open only in a network namespace. {' '.join(held.limits)}".strip(),
            "Use another --backend, or --online." if sockets else "Run the job without a cluster.",
        )
    return held


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
    if not user_path(model).is_dir():
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
    options = wanted.engine
    if options.adapter:
        # Engines of a cluster are in other folders, and vLLM knows no `~`.
        options = replace(options, adapter=str(user_path(options.adapter).resolve()))
    return Plan(
        n=wanted.sampling.n,
        tune=wanted.tune,
        reproducible=wanted.reproducible,
        options=options,
    )
