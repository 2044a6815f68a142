"""Which quantization of a model suits this machine: what fits in memory, and what is fast here."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.llamacpp.speeds import speeds
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.ggml import row_bytes
from bonito_local.convert.mixes import ModelShape, find_mix, tensor_type
from bonito_local.errors import ModelError
from bonito_local.models.catalog import CatalogModel
from bonito_local.models.installed import Installed, installed

# From the most exact on, and the time of a row beside Q4_K_M's, as measured on two cores with
# AVX-512: what holds until this machine was measured.
_COSTS = {"Q8_0": 3.1, "Q6_K": 1.3, "Q5_K_M": 1.1, "Q4_K_M": 1.0, "Q3_K_M": 1.0}
_SLOWER = 1.25  # what exactness may cost, beside the fastest
_LEAST_WEIGHTS = 200_000_000  # a model that lies in the cache tells nothing of a large one
_TOKENS = 8192  # of the KV cache, in all sequences
_BUFFERS = 1 << 29
_ROW = (480, 64, 1)  # tokens of a prompt and of a row, rows a prompt


@dataclass(frozen=True, slots=True)
class Quantization:
    """A file that could be made: its size, the memory to run it, in bytes.

    `cost` is the time of a row beside the others', `measured` whether that was measured here.
    """

    name: str
    bytes: int
    memory: int
    cost: float
    measured: bool


def quantizations(model: CatalogModel) -> list[Quantization]:
    """What a model of the catalog could be made into, the most exact first."""
    architecture = Architecture.from_config(model.config)
    measured = measured_costs(installed())
    # What was measured sets the scale of the others; at its slowest, so that a type that is known
    # to be fast goes before one of which that is guessed.
    scale = max(
        (cost / _COSTS[name] for name, cost in measured.items() if name in _COSTS), default=1
    )
    cache = 2 * 2 * architecture.layers * architecture.kv_heads * architecture.head_dim * _TOKENS
    found = []
    for name, cost in _COSTS.items():
        size = file_bytes(architecture, name)
        memory = size + cache + _BUFFERS
        here = measured.get(name)
        found.append(
            Quantization(name, size, memory, here or cost * scale, measured=here is not None)
        )
    return found


def best(found: list[Quantization], free: int | None = None) -> tuple[Quantization, str]:
    """The one that suits the machine, and why; `free` is the memory there is, in bytes."""
    free = available_memory() if free is None else free
    fitting = [each for each in found if each.memory <= free]
    room = f"{free / 1e9:.0f} GB of memory are free"
    if not fitting:
        least = min(found, key=lambda each: each.memory)
        return least, f"the smallest, but it needs {least.memory / 1e9:.1f} GB, and {room}"
    fastest = min(each.cost for each in fitting)
    chosen = next(each for each in fitting if each.cost <= _SLOWER * fastest)
    how = "as measured here" if chosen.measured else "not measured here yet"
    return chosen, f"the most exact that fits ({room}) and is about as fast as any ({how})"


def file_bytes(architecture: Architecture, quant: str) -> int:
    """Bytes of a model's tensors in a quantization, exactly as the conversion would store them."""
    mix = find_mix(quant)
    shape = ModelShape(
        layers=architecture.layers,
        heads=architecture.heads,
        kv_heads=architecture.kv_heads,
        tied=architecture.tied,
        has_imatrix=False,
    )
    total = 0
    for name, size in architecture.shapes().items():
        kind = tensor_type(architecture.gguf_name(name), size, mix, shape)
        rows = size[0] if len(size) > 1 else 1
        total += rows * row_bytes(kind, size[-1])
    return total


def measured_costs(models: list[Installed]) -> dict[str, float]:
    """Seconds of a row for each weight, by quantization, of the models that were tuned here."""
    found: dict[str, float] = {}
    for model in models:
        if not model.tuned or not model.quant:
            continue
        try:
            weights = sum(prod(shape) for shape in read_header(model.path).tensors.values())
        except ModelError:
            continue
        if weights < _LEAST_WEIGHTS:
            continue
        seconds = min(speed.seconds(*_ROW) for speed in speeds(model.path))
        cost = seconds / max(1, weights)
        found[model.quant] = min(cost, found.get(model.quant, cost))
    return found
