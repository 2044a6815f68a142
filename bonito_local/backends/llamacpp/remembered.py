"""What tuning found, kept for each machine, build of llama.cpp, model file and mix.

The files hold settings and speeds, nothing of any document.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bonito_local.backends.llamacpp.bindings import lib
from bonito_local.backends.llamacpp.machine import logical_cores, physical_cores, processor
from bonito_local.backends.llamacpp.measuring import Measurement, Mix
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.speeds import folder
from bonito_local.backends.llamacpp.tuning import Tuning
from bonito_local.private import make_folder
from bonito_local.shapes import parse


def recall(model_sha256: str, mix: Mix) -> Tuning | None:
    """What was found for this machine, build, model and mix; None if nothing, or not readable."""
    try:
        found = parse(_path(model_sha256, mix).read_text())
        return Tuning(
            _measurement(found["best"]), tuple(_measurement(entry) for entry in found["tried"])
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remember(model_sha256: str, mix: Mix, tuning: Tuning, model: Path) -> Path | None:
    """Keep it; returns where, or None where nothing can be written: tuning is then done anew.

    `model` is the file that was measured: its name and size are kept for `speeds`.
    """
    path = _path(model_sha256, mix)
    try:
        of = {"name": model.name, "bytes": model.stat().st_size, "sha256": model_sha256}
        told = {"machine": machine(), "model": of, "mix": asdict(mix), **asdict(tuning)}
        make_folder(path.parent)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(told, indent=2))
        fresh.replace(path)
    except OSError:
        return None
    return path


def machine() -> dict[str, Any]:
    """What the best settings depend on, the model aside."""
    return {
        "processor": processor(),
        "cores": [physical_cores(), logical_cores()],
        "system": platform.system(),
        "llama_cpp_python": lib.__version__,
        "features": lib.llama_print_system_info().decode(),
    }


def _path(model_sha256: str, mix: Mix) -> Path:
    # Lengths within a factor of two are one mix: what is fastest hardly depends on them.
    lengths = [mix.prompt.bit_length(), mix.completion.bit_length(), mix.n.bit_length()]
    key = json.dumps([machine(), model_sha256, lengths])
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    return folder() / f"{name}.json"


def _measurement(entry: dict[str, Any]) -> Measurement:
    return Measurement(**{**entry, "settings": Settings(**entry["settings"])})
