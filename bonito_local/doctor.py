"""Checks of this installation and machine: each is ok, a warning or a failure, with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.backends.gpus import find_gpus
from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.errors import ModelError
from bonito_local.models import store
from bonito_local.models.installed import installed

if TYPE_CHECKING:
    from bonito_local.airgap.probe import Proof
    from bonito_local.airgap.ways import Subject

Status = Literal["ok", "warn", "fail"]

_BUILD = "pip install --force-reinstall --no-deps --no-cache-dir 'llama-cpp-python>=0.3.36,<0.4'"
_GPU_BUILD = (
    f'CMAKE_ARGS="-DGGML_CUDA=on" {_BUILD} '
    "(AMD: -DGGML_HIP=on, Intel and others: -DGGML_VULKAN=on; pipx and uv: docs/install.md)"
)
_LEAST_FREE = 2 << 30
_OLDEST_PYTHON = (3, 11)
_TO_PULL = 10 << 30
_BESIDE_WEIGHTS = 3 << 29  # bytes of KV cache and buffers


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """Run every check, in the order they are worth reading."""
    return [check() for check in _CHECKS]


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("Python", "fail", found, "Install Python 3.11 or newer.")
    return Check("Python", "ok", found)


def _package() -> Check:
    try:
        return Check("bonito-local", "ok", version("bonito-local"))
    except PackageNotFoundError:
        return Check("bonito-local", "fail", "not installed", "pip install bonito-local")


def _llama_cpp() -> Check:
    """Loaded in a process of its own: a broken build may end the one that loads it."""
    code = (
        "import llama_cpp as l;"
        "print(l.__version__, '|', 'GPU' if l.llama_supports_gpu_offload() else 'CPU only', '|',"
        "l.llama_print_system_info().decode())"
    )
    try:
        ended = subprocess.run(
            # -P: as in `bonito_local.child`.
            [sys.executable, "-P", "-c", code],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        return Check("llama.cpp", "fail", "does not load within two minutes", _BUILD)
    if ended.returncode:
        said = ended.stderr.strip().splitlines()
        return Check(
            "llama.cpp",
            "fail",
            said[-1] if said else f"ended with status {ended.returncode}",
            _BUILD,
        )
    release, build, features = (part.strip() for part in ended.stdout.split("|", 2))
    used = [f.split(" = ")[0].strip() for f in features.split("|") if f.strip().endswith("= 1")]
    found = (
        f"llama-cpp-python {release}, {build}: {', '.join(u.split(':')[-1].strip() for u in used)}"
    )
    if build == "CPU only" and find_gpus():
        return Check("llama.cpp", "warn", f"{found}; it leaves the GPU idle", _GPU_BUILD)
    return Check("llama.cpp", "ok", found)


def _gpu() -> Check:
    named = "; ".join(gpu.name for gpu in find_gpus())
    return Check("GPU", "ok", named or "none found: generation runs on the CPU")


def _memory() -> Check:
    from bonito_local.backends.llamacpp.machine import available_memory, physical_cores, processor

    free = available_memory()
    found = f"{free / 2**30:.1f} GiB free; {physical_cores()} cores of {processor()}"
    if free < _LEAST_FREE:
        return Check("Memory", "warn", found, "Close programs: a 7B model in 4 bits takes 6 GiB.")
    large = [m for m in installed() if m.bytes + _BESIDE_WEIGHTS > free]
    if large:
        names = ", ".join(f"{m.name} ({m.bytes / 2**30:.1f} GiB)" for m in large)
        remedy = "Close programs, or make a smaller quantization of it."
        return Check("Memory", "warn", f"{found}; too little to run {names}", remedy)
    return Check("Memory", "ok", found)


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    found = f"{free / 2**30:.1f} GiB free in {Path.cwd()}"
    if free < _LEAST_FREE:
        return Check("Disk", "warn", found, "Free some space: a dataset or a model may not fit.")
    return Check("Disk", "ok", found)


def _compiler() -> Check:
    for name in ("c++", "g++", "clang++", "cl"):
        if path := shutil.which(name):
            return Check("C++ compiler", "ok", path)
    return Check(
        "C++ compiler",
        "warn",
        "none found",
        "Only needed to build llama.cpp anew: install g++ or clang.",
    )


def _engines() -> Check:
    from bonito_local.backends.registry import BACKENDS

    releases = packages_distributions()
    there, lacking = [], []
    for name, engine in BACKENDS.items():
        if engine.modules and engine.installed:
            found = dict.fromkeys(releases.get(engine.modules[0], ()))
            there.append(f"{name} ({', '.join(f'{of} {_version(of)}' for of in found)})")
        elif engine.modules:
            lacking.append(f"{name}: {engine.how_to_install}")
    if find_spec("ray") is not None:
        there.append(f"clusters (ray {_version('ray')})")
    else:
        lacking.append("clusters: pip install 'bonito-local[ray]'")
    told = f"{', '.join(there)}, openai (a server that you run)"
    return Check("Engines", "ok", told, "; ".join(lacking))


def _models() -> Check:
    """The headers of all models with a name are read, not their weights: `models verify` does."""
    found = installed()
    if not any(model.place == "package" for model in found):
        return Check("Models", "fail", f"{DEFAULT_MODEL} is missing", "Install bonito-local again.")
    told = ", ".join(f"{m.name} ({m.quant or 'unknown type'})" for m in found)
    broken = []
    for model in found:
        try:
            read_header(model.path)
        except ModelError:
            broken.append(model.name)
    if broken:
        again = f"bonito-local models remove {' '.join(broken)}; then fetch or add it again."
        return Check("Models", "fail", f"{told}; BROKEN: {', '.join(broken)}", again)
    if changed := [m.name for m in found if m.changed or m.verified is False]:
        remedy = f"Make or fetch it again, or see: bonito-local models verify {' '.join(changed)}"
        what = "changed, or failed its verification"
        return Check("Models", "warn", f"{told}; {what}: {', '.join(changed)}", remedy)
    if len(found) == 1:
        remedy = "For real datasets: bonito-local models pull bonito-v1, or bring a bundle."
        return Check("Models", "ok", f"{told}, to try things out", remedy)
    return Check("Models", "ok", told)


def _store() -> Check:
    folder = store.folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 2**30:.1f} GiB free in {folder}"
    if not os.access(there, os.W_OK):
        remedy = f"Name a folder of your own in {store.VARIABLE}."
        return Check("Model store", "warn", f"{folder} cannot be written to", remedy)
    half = sorted(path.name for path in store.staging("x").parent.glob("*/"))
    if free < _TO_PULL:
        remedy = f"Fetching a 7B model takes 10 GiB: free some, or set {store.VARIABLE}."
        return Check("Model store", "warn", told, remedy)
    if half:
        remedy = f"Go on: bonito-local models pull {half[0]}; or delete {store.staging(half[0])}."
        return Check("Model store", "warn", f"{told}; half fetched: {', '.join(half)}", remedy)
    return Check("Model store", "ok", told)


def _air_gap() -> Check:
    from bonito_local.airgap.ways import SUBJECTS
    from bonito_local.errors import AirGapError

    try:
        proofs = [_proof(subject) for subject in SUBJECTS]
    except AirGapError as error:
        return Check("Air gap", "fail", error.title, error.remedy)
    held = proofs[0].enforcement
    counts = (f"{len(p.attempts) - len(p.reached)} of {len(p.attempts)}" for p in proofs)
    kinds = ("a job", "a reader of documents", "one of tables")
    told = ", ".join(f"{count} by {kind}" for count, kind in zip(counts, kinds, strict=True))
    found = f"{held}: ways out tried and refused: {told}"
    if not all(proof.control for proof in proofs):
        told = f"{found}, but without it nothing got through either"
        remedy = "Nothing to do where there is no network; elsewhere, see what else holds it."
        return Check("Air gap", "warn", told, remedy)
    if reached := list(dict.fromkeys(name for proof in proofs for name in proof.reached)):
        # Without Landlock a reader can do a little more, as docs/privacy.md has it.
        of_jobs = held.by_the_kernel and proofs[0].reached
        return Check(
            "Air gap",
            "fail" if of_jobs else "warn",
            f"{found}; got out: {', '.join(reached)}. {' '.join(held.limits)}".strip(),
            "Run it where nothing is connected, or in a container without network.",
        )
    return Check("Air gap", "ok", " ".join((f"{found}.", *held.limits)).removesuffix("."))


def _proof(subject: Subject) -> Proof:
    from bonito_local.airgap import probe

    return probe.prove(subject)


def _hub() -> Check:
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        found = "HF_HUB_OFFLINE is set: nothing can be fetched"
        return Check("Network", "ok", found)
    found = "used only by what you ask to fetch, and by a server or cluster that you name"
    return Check("Network", "ok", found)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


_CHECKS: tuple[Callable[[], Check], ...] = (
    _python,
    _package,
    _llama_cpp,
    _gpu,
    _memory,
    _disk,
    _compiler,
    _engines,
    _models,
    _store,
    _air_gap,
    _hub,
)
