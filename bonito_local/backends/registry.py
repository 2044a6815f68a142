"""Backends by name, and what each can do. An engine is imported only when it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bonito_local.backends.base import Backend, EngineOptions, ModelFormat, Plan
from bonito_local.backends.likelihood import Scorer
from bonito_local.bounds import check_range
from bonito_local.errors import BackendError, UsageError, did_you_mean

FLAGS = ("endpoint", "remote", "adapter", "quantization")  # of `generate`; others: job files only
DTYPES = ("", "bfloat16", "float16", "float32")
MOST_GPUS = 1024
AUTO = "auto"  # not a backend: the one that suits model and machine is chosen


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do, known without importing it.

    Attributes:
        formats: the kinds of model it takes.
        guided: keeps completions in a shape.
        lines: keeps completions to their lines, where its server can.
        reproducible: the same bits each run, where asked for.
        local_sockets: its processes talk to each other over sockets of this machine.
        hottest: the highest temperature that it draws at.
        options: the fields of `EngineOptions` that mean something to it.
        quantizations: to which it can quantize weights as they load.
    """

    formats: tuple[ModelFormat, ...]
    guided: bool = False
    lines: bool = False
    reproducible: bool = False
    local_sockets: bool = False
    hottest: float = math.inf
    options: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ()

    @property
    def holds_lines(self) -> bool:
        """Whether completions may be asked for in lines that it keeps them to."""
        return self.guided or self.lines


@dataclass(frozen=True, slots=True)
class Engine:
    """A backend's entry.

    Attributes:
        target: the function that opens it.
        package: the distribution that its engine comes in; empty where it has none.
        modules: what has to be importable for it, the engine first.
        extra: the extra of this package that installs those; None for the package itself.
        able: what it can do.
        scorer: the class that tells how likely its models find a text; empty where none does.
    """

    target: str
    package: str
    modules: tuple[str, ...]
    extra: str | None
    able: Capabilities
    scorer: str = ""

    @property
    def installed(self) -> bool:
        """Whether its modules are there, none being imported."""
        return all(find_spec(module) is not None for module in self.modules)

    @property
    def how_to_install(self) -> str:
        """The command."""
        if self.extra is None:
            return "pip install --force-reinstall bonito-local"
        return f"pip install 'bonito-local[{self.extra}]'"


BACKENDS: dict[str, Engine] = {
    "llamacpp": Engine(
        "bonito_local.backends.llamacpp.opening.open_planned",
        "llama-cpp-python",
        ("llama_cpp",),
        None,
        Capabilities(("gguf",), guided=True, reproducible=True),
        "bonito_local.backends.llamacpp.scoring.Scorer",
    ),
    "transformers": Engine(
        "bonito_local.backends.transformers.engine.open_planned",
        "transformers",
        ("transformers", "torch"),
        "transformers",
        Capabilities(
            ("checkpoint",),
            reproducible=True,
            options=("adapter", "quantization"),
            quantizations=("nf4",),
        ),
        "bonito_local.backends.transformers.scoring.Scorer",
    ),
    "vllm": Engine(
        "bonito_local.backends.vllm.engine.open_planned",
        "vllm",
        ("vllm",),
        "vllm",
        Capabilities(
            ("checkpoint",),
            local_sockets=True,
            hottest=2.0,
            options=("adapter", "quantization", "dtype", "tensor_parallel", "memory_fraction"),
            quantizations=("nf4", "fp8"),
        ),
        "bonito_local.backends.vllm.scoring.Scorer",
    ),
    "openai": Engine(
        "bonito_local.backends.openai_api.open_planned",
        "",
        (),
        None,
        Capabilities(("name",), lines=True, options=("endpoint", "remote")),
    ),
    "fake": Engine(
        "bonito_local.backends.fake.open_planned",
        "",
        (),
        None,
        Capabilities(
            ("gguf", "checkpoint"),
            guided=True,
            reproducible=True,
            options=tuple(field.name for field in fields(EngineOptions)),
            quantizations=("nf4", "fp8"),
        ),
    ),
}


def backend_names() -> list[str]:
    """Names that `open_backend` takes, the default first."""
    return list(BACKENDS)


def capabilities(name: str) -> Capabilities:
    """What the backend of this name can do.

    Raises:
        UsageError: no backend has this name; the remedy names the nearest.
    """
    return _engine(name).able


def holds_lines(name: str) -> bool:
    """Whether an engine holds completions to lines; one that is not of this package does not."""
    return name in BACKENDS and BACKENDS[name].able.holds_lines


def check_capable(
    name: str, *, guided: bool = False, temperature: float = 0.0, plan: Plan | None = None
) -> None:
    """Raise UsageError for what is asked of a backend that it cannot do."""
    able, plan = capabilities(name), plan or Plan()
    if temperature > able.hottest:
        raise UsageError(
            f"The {name} backend cannot draw at a temperature of {temperature:g}.",
            f"Use {able.hottest:g} or less.",
        )
    if guided and not able.guided:
        raise _unable(name, "guided rows", "--guided", lambda other: other.guided)
    if plan.reproducible and not able.reproducible:
        raise _unable(
            name, "the same bits each run", "--reproducible", lambda other: other.reproducible
        )
    for option in _given(plan.options):
        if option not in able.options:
            can = partial(_takes, option)
            flag = f"--{option}" if option in FLAGS else f"engine.{option}"
            raise _unable(name, _MEANS[option], flag, can)
    _check_values(plan.options)
    wanted = plan.options.quantization
    if wanted and wanted not in able.quantizations:
        raise _unable(
            name, f"{wanted} weights", "--quantization", lambda other: wanted in other.quantizations
        )
    if "endpoint" in able.options and able.formats == ("name",) and not plan.options.endpoint:
        raise UsageError(
            f"The {name} backend needs the address of a server.",
            "Add --endpoint http://127.0.0.1:8080, wherever yours listens.",
        )


def open_backend(name: str, model: Path, plan: Plan | None = None) -> Backend:
    """Import a backend and open `model` with it, at the settings that suit the plan.

    Raises:
        UsageError: no backend has this name; the remedy names the nearest.
        BackendError: its engine is not installed; the remedy says how to install it.
        ModelError: the model cannot be opened.
    """
    engine = _engine(name)
    try:
        backend: Backend = _imported(engine.target)(model, plan or Plan())
    except ImportError as error:
        raise BackendError(
            f"The {name} backend cannot be imported: {error}.",
            f"Install its engine: {engine.how_to_install}",
        ) from error
    return backend


def check_scores(name: str) -> None:
    """Raise UsageError for a backend that cannot tell how likely its model finds a text."""
    if not _engine(name).scorer:
        able = [other for other, engine in BACKENDS.items() if engine.scorer]
        raise UsageError(
            f"The {name} backend gives no probabilities.",
            f"These give them: {', '.join(able)}.",
        )


def open_scorer(name: str, backend: Backend) -> Scorer:
    """Open what scores texts with the model of an open backend of this name.

    Raises:
        UsageError: the backend has none.
    """
    check_scores(name)
    scorer: Scorer = _imported(_engine(name).scorer)(backend)
    return scorer


def _imported(target: str) -> Any:
    module, _, name = target.rpartition(".")
    return getattr(import_module(module), name)


_MEANS = {
    "endpoint": "rows of a server",
    "remote": "rows of a server",
    "adapter": "rows of an adapter that is not merged",
    "quantization": "weights that are quantized as they load",
    "dtype": "a choice of number format",
    "tensor_parallel": "layers shared by GPUs",
    "memory_fraction": "a choice of memory",
}


def check_installed(name: str) -> None:
    """Raise BackendError where the engine is not there; the remedy says how to install it."""
    engine = _engine(name)
    if not engine.installed:
        raise BackendError(
            f"The {name} backend's engine is not installed.",
            f"Install it: {engine.how_to_install}",
        )


def _check_values(options: EngineOptions) -> None:
    if options.dtype not in DTYPES:
        raise UsageError(
            f"dtype is {options.dtype!r}.", did_you_mean(options.dtype, list(filter(None, DTYPES)))
        )
    gpus = "Use 1 or more GPUs."
    check_range("tensor_parallel", options.tensor_parallel, 1, MOST_GPUS, gpus)
    share = "Use more than 0 and at most 1."
    check_range("memory_fraction", options.memory_fraction, 0, 1, share)


def _given(options: EngineOptions) -> list[str]:
    """Names of what differs from the usual."""
    usual = EngineOptions()
    names = [field.name for field in fields(EngineOptions)]
    return [name for name in names if getattr(options, name) != getattr(usual, name)]


def _takes(option: str, able: Capabilities) -> bool:
    return option in able.options


def _unable(name: str, means: str, option: str, can: Callable[[Capabilities], bool]) -> UsageError:
    others = [other for other, engine in BACKENDS.items() if other != "fake" and can(engine.able)]
    named = f", or use --backend {' or '.join(others)}" if others else ""
    return UsageError(f"The {name} backend cannot give {means}.", f"Leave {option} out{named}.")


def _engine(name: str) -> Engine:
    if name not in BACKENDS:
        raise UsageError(f"Unknown backend {name!r}.", did_you_mean(name, [*BACKENDS, AUTO]))
    return BACKENDS[name]
