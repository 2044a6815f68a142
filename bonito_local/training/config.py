"""What a training run is told: a TOML file, checked before anything is loaded.

The defaults are the paper's (arXiv 2402.18334, and `train_decoder.py` of
BatsResearch/nayak-aclfindings24-code). docs/training.md describes every key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from bonito_local.bounds import user_path
from bonito_local.errors import BonitoError, UsageError, did_you_mean
from bonito_local.jobs.tomlfile import read_toml

Kind = Literal["bonito", "adapt", "tapt"]
Switch = Literal["auto", "on", "off"]
Weights = Literal["auto", "nf4", "bf16", "base"]

# What runs take whose data is large enough for them: (steps, rows below which it is one epoch).
_STEPS: dict[Kind, tuple[int, int]] = {
    "bonito": (100_000, 0),
    "adapt": (10_000, 160_000),
    "tapt": (10_000, 160_000),
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What a dry run reckons with: so many GPUs of a kind, and what each costs an hour."""

    gpu: str = ""
    gpus: int = 1
    price: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run.

    Attributes:
        base: folder of the checkpoint to train on.
        data: a JSONL or Parquet file, or the folder of an export.
        output: folder of the adapter, its log and its checkpoint.
        adapter: folder of an adapter of the same base to go on from.
        rank: of the adapter's matrices, whose product is scaled by `alpha` / `rank`; that of
            `adapter`, where there is one.
        learning_rate: at the first step; it falls linearly to zero.
        max_grad_norm: longer gradients are scaled down to it.
        batch: rows of a step, on all devices together.
        steps: optimizer steps; 0 takes what the paper did.
        input_tokens: a row with a longer prompt is left out.
        output_tokens: so is one with a longer output (with its end-of-text token).
        micro_tokens: tokens that a device computes at once; a longer row goes alone.
        gradient_checkpointing: "on" computes activations twice to keep fewer of them.
        weights: "nf4" holds the base in 4 bits, "bf16" the same NF4 values decoded once; "base"
            trains on the base's own weights in bf16, without NF4.
        share_prompts: consecutive rows with the same prompt are computed together, the prompt
            once; losses and gradients stay the same, batches may hold a few rows more.
        shard: each device holds a part of the base ("bf16"), for bases that fit on one in NF4
            alone.
        save_every: steps between checkpoints.
        seed: of the adapter's first values and the order of rows.
        machine: for dry runs.
    """

    kind: Kind
    base: Path
    data: Path
    output: Path
    adapter: Path | None = None
    rank: int = 64
    alpha: int = 4
    learning_rate: float = 1e-4
    max_grad_norm: float = 0.3
    batch: int = 16
    steps: int = 0
    input_tokens: int = 2048
    output_tokens: int = 2048
    micro_tokens: int = 4096
    gradient_checkpointing: Switch = "auto"
    weights: Weights = "auto"
    share_prompts: bool = False
    shard: bool = False
    save_every: int = 500
    seed: int = 0
    machine: Machine = Machine()

    def steps_for(self, rows: int) -> int:
        """Steps of a run over so many rows: as told, or as in the paper."""
        most, one_epoch_below = _STEPS[self.kind]
        if self.steps:
            return self.steps
        return min(most, math.ceil(rows / self.batch)) if rows < one_epoch_below else most

    def as_json(self) -> dict[str, Any]:
        """Every field, with paths as text."""
        told = asdict(self)
        return {k: str(v) if isinstance(v, Path) else v for k, v in told.items()}


_PATHS = ("base", "data", "output", "adapter")
_CHOICES = {"gradient_checkpointing": get_args(Switch), "weights": get_args(Weights)}
_LEAST = {
    **dict.fromkeys(("rank", "alpha", "batch", "save_every", "gpus"), 1),
    **dict.fromkeys(("input_tokens", "output_tokens", "micro_tokens"), 8),
    **dict.fromkeys(("steps", "seed"), 0),
}
_ABOVE_ZERO = ("learning_rate", "max_grad_norm")


def read_config(kind: Kind, path: Path) -> TrainConfig:
    """Read a training file; relative paths in it are relative to its folder.

    Raises:
        UsageError: it cannot be read, or says something that cannot be; one key is named.
    """
    data = read_toml(path, "training file", "docs/training.md shows what is in one.")
    try:
        return _config(kind, data, path.resolve().parent)
    except BonitoError as error:
        raise UsageError(f"{path}: {error.title}", error.remedy) from error


def _config(kind: Kind, data: dict[str, Any], folder: Path) -> TrainConfig:
    machine = data.pop("machine", {})
    if not isinstance(machine, dict):
        raise UsageError("machine is not a table.", "Write [machine] on a line of its own.")
    values = _checked(TrainConfig, data, "")
    for key in ("base", "data", "output"):
        if key not in values:
            raise UsageError(f"{key} is missing.", f'Add {key} = "..."')
    paths = {key: folder / user_path(values[key]) for key in _PATHS if values.get(key)}
    if "adapter" in paths:
        values = _as_adapter(paths["adapter"], values)
    config = TrainConfig(**{**values, **paths, "kind": kind})
    return replace(config, machine=Machine(**_checked(Machine, machine, "machine.")))


def _as_adapter(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    """The values with rank and alpha of the adapter to go on from, where it is there yet."""
    found = adapter_scale(folder)
    for key, value in found.items():
        if values.get(key, value) != value:
            raise UsageError(
                f"{key} is {values[key]}, but that of the adapter {folder} is {value}.",
                f"Leave {key} out: the adapter's own is taken.",
            )
    return values | found


def adapter_scale(folder: Path) -> dict[str, int]:
    """`rank` and `alpha` as an adapter's adapter_config.json says them, as far as it does."""
    try:
        said = json.loads((folder / "adapter_config.json").read_bytes())
        found = {"rank": said["r"], "alpha": said["lora_alpha"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and v == v // 1}
    return {key: int(value) for key, value in numbers.items()}


def _checked(of: type, data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The values, each of its type and within its bounds."""
    known = [f.name for f in fields(of) if f.name not in ("kind", "machine")]
    types = {f.name: str(f.type) for f in fields(of)}
    for key, value in data.items():
        if key not in known:
            raise UsageError(f"The key {prefix}{key} is not known.", did_you_mean(key, known))
        if wrong := _wrong(key, value, types[key]):
            shown = repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
            raise UsageError(f"{prefix}{key} is {shown}.", wrong)
    return {key: float(v) if types[key] == "float" else v for key, v in data.items()}


def _wrong(key: str, value: Any, kind: str) -> str:
    """What a value has to be, where it is not."""
    if key in _CHOICES:
        known = [f'"{choice}"' for choice in _CHOICES[key]]
        return "" if value in _CHOICES[key] else f"Use {', '.join(known)}."
    if kind == "bool":
        return "" if isinstance(value, bool) else "Use true or false."
    if kind == "int":
        least = _LEAST[key]
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if whole and value >= least else f"Use a whole number of {least} or more."
    if kind == "float":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and math.isfinite(value) and (value > 0 or (value == 0 and key == "price")):
            return ""
        return f"Use a number {'above' if key in _ABOVE_ZERO else 'of'} 0{_or_more(key)}."
    return "" if isinstance(value, str) and (value or key == "gpu") else "Use a text."


def _or_more(key: str) -> str:
    return "" if key in _ABOVE_ZERO else " or more"
