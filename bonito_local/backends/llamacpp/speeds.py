"""How fast a model was on this machine when it was tuned, found without opening an engine."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from bonito_local.backends.llamacpp.machine import logical_cores, physical_cores, processor
from bonito_local.shapes import parse


@dataclass(frozen=True, slots=True)
class Speed:
    """What the fastest settings reached with rows of these mean lengths, in tokens and tokens/s."""

    prompt: int
    completion: int
    n: int
    prefill: float
    decode: float

    def seconds(self, prompt: int, completion: int, n: int) -> float:
        """What a row takes, of `n` that share a prompt."""
        return prompt / n / self.prefill + completion / self.decode


def folder() -> Path:
    """Where what tuning found is kept."""
    return user_cache_path("bonito-local") / "tuning"


def speeds(model: Path) -> list[Speed]:
    """What was measured with a model file of this name and size, here and with this llama.cpp."""
    try:
        size = model.stat().st_size
        files = sorted(folder().glob("*.json"))
    except OSError:
        return []
    found = []
    for file in files:
        try:
            told = parse(file.read_text())
            of, mix, best = told["model"], told["mix"], told["best"]
            if (of["name"], of["bytes"]) == (model.name, size) and _is_here(told["machine"]):
                found.append(Speed(**mix, prefill=best["prefill"], decode=best["decode"]))
        except (OSError, ValueError, TypeError, KeyError):
            continue  # half written, or of another version
    return found


def _is_here(machine: dict[str, object]) -> bool:
    """Whether it is this machine, as far as that shows without the engine."""
    return (
        machine.get("processor") == processor()
        and machine.get("cores") == [physical_cores(), logical_cores()]
        and machine.get("llama_cpp_python") == importlib.metadata.version("llama-cpp-python")
    )
