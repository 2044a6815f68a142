"""What `bonito-local --version` tells: this package, Python, and the engines, none imported."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from bonito_local import __version__
from bonito_local.backends.registry import BACKENDS

_DEVICES = ("cpu", "cuda", "hip", "metal", "sycl", "vulkan", "blas")


def versions() -> list[str]:
    """One line each."""
    engines = [
        f"{name}: {' '.join(filter(None, (_release(of.package), _build(name))))}"
        for name, of in BACKENDS.items()
        if of.package
    ]
    return [
        f"bonito-local {__version__}",
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        *engines,
        f"clusters: {_release('ray')}",
    ]


def _release(package: str) -> str:
    for name in (package, f"{package}-cpu"):  # vLLM's build for CPUs has a name of its own
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "not installed"


def _build(backend: str) -> str:
    """What llama.cpp was built for, by the libraries that came with it."""
    found = find_spec("llama_cpp") if backend == "llamacpp" else None
    if found is None or found.origin is None:
        return ""
    names = {path.name for path in (Path(found.origin).parent / "lib").glob("*ggml-*")}
    built = [device for device in _DEVICES if any(f"ggml-{device}" in name for name in names)]
    return f"({', '.join(built)})" if built else ""
