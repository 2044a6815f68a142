"""What a run will take, reckoned from the base's shape alone: memory, steps, hours, money."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Literal

from bonito_local.convert.architectures import Architecture
from bonito_local.convert.checkpoint import read_json
from bonito_local.errors import TrainingError, UsageError, did_you_mean
from bonito_local.training.config import TrainConfig
from bonito_local.training.rows import count_rows, find_data, read_pairs
from bonito_local.training.tokens import MOST_OUTPUTS
from bonito_local.training.watch import read_log

Held = Literal["nf4", "bf16", "base"]
_HELD: dict[Held, str] = {
    "nf4": "NF4",
    "bf16": "NF4 values held in bf16",
    "base": "the base's own weights in bf16",
}

# Bases whose shape is known without their folder (from the config.json of each).
_KNOWN: dict[str, dict[str, Any]] = {
    "Mistral-7B-v0.1": {"architectures": ["MistralForCausalLM"], "vocab_size": 32000},
    "Llama-3.1-8B": {"architectures": ["LlamaForCausalLM"], "vocab_size": 128256},
}
_SEVEN = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-5,
}
# Memory (bytes) and bf16 tensor-core peak without sparsity (operations a second), as NVIDIA's
# data sheets say.
GPUS = {
    "H200": (141e9, 989e12),
    "H100": (80e9, 989e12),
    "A100-80GB": (80e9, 312e12),
    "A100-40GB": (40e9, 312e12),
    "L40S": (48e9, 362e12),
    "RTX4090": (24e9, 165e12),
}
SHARE_OF_PEAK = 0.35  # assumed, where nothing was measured
_ROOM = 0.9  # of a device's memory; the rest is the libraries' and fragments
_LIBRARIES = 1.5e9  # bytes of a GPU's memory: CUDA's own, kernels, workspaces
_ASSUMED_TOKENS = 500  # a row, where there is no data yet
_SAMPLE = 2000  # rows
_LETTERS = 4.2  # a token of English, about
_POSITIONS = 1024  # of the loss at once


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on one device, at the most."""

    weights: float
    adapter: float
    activations: float
    loss: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.adapter + self.activations + self.loss


@dataclass(frozen=True, slots=True)
class Way:
    """How a run holds its weights and its activations, and what that takes."""

    weights: Held
    checkpointing: bool
    memory: Memory


def shape_of(base: Path) -> Architecture:
    """The base's shape, from its config.json or from its folder's name.

    Raises:
        TrainingError: there is neither.
        ConvertError: it is not one that can be trained and converted.
    """
    if (base / "config.json").is_file():
        return Architecture.from_config(read_json(base / "config.json"))
    if base.name in _KNOWN:
        return Architecture.from_config(_SEVEN | _KNOWN[base.name])
    raise TrainingError(
        f"There is no checkpoint in {base}.",
        f"Name its folder. The shapes of {' and '.join(_KNOWN)} are known without one.",
    )


def linear_weights(shape: Architecture) -> int:
    """Weights of all linear layers but the head."""
    heads, kept = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    attention = shape.width * (2 * heads + 2 * kept)
    return shape.layers * (attention + 3 * shape.width * shape.ffn)


def adapter_weights(shape: Architecture, rank: int) -> int:
    """Values of an adapter on all linear layers but the head."""
    heads, kept = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    sides = 2 * (shape.width + heads) + 2 * (shape.width + kept) + 3 * (shape.width + shape.ffn)
    return shape.layers * rank * sides


def memory(
    shape: Architecture,
    config: TrainConfig,
    held: Held,
    checkpointing: bool,
    gpus: int,
    value: int = 2,
) -> Memory:
    """Estimate what one device needs, if it computes in a format of `value` bytes.

    The terms of `activations` are counted from the layers' code.
    """
    wide = value / 2  # against bf16
    linear = linear_weights(shape)
    others = shape.vocab * shape.width * (1 if shape.tied else 2) + 2 * shape.layers * shape.width
    # NF4: 4 bits, 8 for each block of 64 weights, and 32 for each block of 256 of those.
    nf4 = (4 + 8 / 64 + 32 / (64 * 256)) / 8
    weights = linear * (nf4 if held == "nf4" else float(value))
    if config.shard and gpus > 1:
        # Loaded whole first; then a part of each layer, with two gathered: one ahead.
        whole = linear * (float(value) if held == "base" else nf4)
        weights = max(whole, weights / gpus + 2 * weights / shape.layers)
    values = adapter_weights(shape, config.rank)
    tokens = max(config.micro_tokens, config.input_tokens + config.output_tokens)
    heads, kept = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    # Bytes a token that one layer keeps for its backward pass: inputs of both norms in float32
    # and of all products in bf16, rotated queries and keys, the MLP's gate.
    layer = 20 * shape.width + 8 * heads + 8 * kept + 8 * shape.ffn + 14 * config.rank
    if checkpointing:
        kept_bytes = tokens * (2 * shape.width * shape.layers + layer)
    else:
        kept_bytes = tokens * layer * shape.layers
    return Memory(
        weights=weights + value * others,
        # Where it computes, with its gradient; in float32 with gradient, and Adam's two moments.
        adapter=values * (2 * value + 4 + 4 + 8),
        activations=wide * kept_bytes + 4 * tokens * shape.width,  # the last norm's input
        loss=_POSITIONS * shape.vocab * 10 + tokens * shape.width * 4,
    )


def choose(
    shape: Architecture, config: TrainConfig, room: float, gpus: int = 1, value: int = 2
) -> Way:
    """The fastest way that fits in `room` bytes, among those that the config leaves open.

    Decoded weights save a decoding in each pass; activations that are kept save a whole
    forward pass. Where nothing fits, the smallest is returned: it may fit yet.
    """
    held: list[Held] = ["bf16", "nf4"] if config.weights == "auto" else [config.weights]
    held = ["bf16"] if config.shard and config.weights != "base" else held
    kept = {"auto": [False, True], "on": [True], "off": [False]}[config.gradient_checkpointing]
    ways = [Way(h, c, memory(shape, config, h, c, gpus, value)) for c in kept for h in held]
    fitting = [way for way in ways if way.memory.total <= room]
    return fitting[0] if fitting else min(ways, key=lambda way: way.memory.total)


def flops(shape: Architecture, config: TrainConfig, checkpointing: bool) -> float:
    """Operations a token: 2 a weight forward, 2 backward, for the base has no gradients.

    The adapter's weights have them (2 more); the layers are computed again with checkpointing.
    """
    linear, adapter = linear_weights(shape), adapter_weights(shape, config.rank)
    return (4 + 2 * checkpointing) * linear + (6 + 2 * checkpointing) * adapter


@dataclass(frozen=True, slots=True)
class Plan:
    """A dry run's findings.

    Attributes:
        rows: of the data; None where there is none yet.
        row_tokens: mean, as `known` says.
        hours: None without a GPU that is known or a run that has begun; `speed` says which.
    """

    shape: Architecture
    way: Way
    room: float
    gpus: int
    rows: int | None
    row_tokens: float
    known: str
    steps: int
    hours: float | None
    speed: str
    cost: float | None


def make_plan(config: TrainConfig, free: float = 0.0) -> Plan:
    """Reckon a run; nothing of the base but its config.json is read, and nothing is written.

    `free` is the memory of this machine's own device, for a config that names no GPU.

    Raises:
        TrainingError: the base's shape is not known, or the data cannot be read.
        UsageError: the GPU is not one that is known.
    """
    shape = shape_of(config.base)
    machine = config.machine
    room, peak = _gpu(machine.gpu) if machine.gpu else (free, 0.0)
    way = choose(shape, config, room, machine.gpus)
    rows, tokens, known = _row_tokens(config)
    steps = config.steps_for(rows if rows is not None else 1 << 60)
    log = read_log(config.output)
    hours, told = None, ""
    if log:
        speed, told = log[-1]["tokens_per_second"], "as fast as the run that is there"
    elif peak:
        speed = machine.gpus * peak * SHARE_OF_PEAK / flops(shape, config, way.checkpointing)
        told = f"{SHARE_OF_PEAK:.0%} of {machine.gpu}'s peak, assumed"
    if told:
        hours = steps * config.batch * tokens / speed / 3600
    cost = hours * machine.gpus * machine.price if hours is not None and machine.price else None
    return Plan(shape, way, room, machine.gpus, rows, tokens, known, steps, hours, told, cost)


def room_of(total: float) -> float:
    """What of a GPU's memory a run may take."""
    return _ROOM * total - _LIBRARIES


def _gpu(name: str) -> tuple[float, float]:
    if name not in GPUS:
        raise UsageError(f"machine.gpu is {name!r}.", did_you_mean(name, list(GPUS)))
    total, peak = GPUS[name]
    return room_of(total), peak


def _row_tokens(config: TrainConfig) -> tuple[int | None, float, str]:
    """Rows, tokens a row, and how they are known."""
    if not config.data.exists():
        return None, _ASSUMED_TOKENS, f"assumed: there is no {config.data.name} yet"
    files = find_data(config.data)
    sample = list(islice(read_pairs(files, config.kind), _SAMPLE))
    if not sample:
        raise TrainingError(f"{config.data} holds no rows.", "Give a file with at least one.")
    letters = _letters(sample, config.share_prompts) / len(sample)
    rows = sum(map(count_rows, files))
    return rows, letters / _LETTERS + 2, f"from the letters of {len(sample):,} rows"


def _letters(pairs: Sequence[tuple[str, str]], shared: bool) -> int:
    """Return the letters of rows; a prompt that a group shares counts once."""
    letters = outputs = 0
    before = None
    for prompt, output in pairs:
        outputs = outputs + 1 if shared and prompt == before and outputs < MOST_OUTPUTS else 1
        letters += len(output) + (len(prompt) if outputs == 1 else 0)
        before = prompt
    return letters


def advice(config: TrainConfig, way: Way) -> str:
    """What to lower where memory ran out, the least costly first."""
    longest = config.input_tokens + config.output_tokens
    could = [
        f"lower micro_tokens (it is {config.micro_tokens})" if config.micro_tokens > 512 else "",
        'set gradient_checkpointing = "on"' if not way.checkpointing else "",
        'set weights = "nf4"' if way.weights == "bf16" and not config.shard else "",
        f"lower input_tokens or output_tokens (rows may have {longest})",
        f"lower rank (it is {config.rank})",
    ]
    text = ", or ".join(filter(None, could[:3])) or ", or ".join(could[3:])
    return f"{text[0].upper()}{text[1:]}."


def lines(plan: Plan, config: TrainConfig) -> Iterator[str]:
    """The plan as a person reads it."""
    shape, way, gb = plan.shape, plan.way, 1e9
    everything = linear_weights(shape) + shape.vocab * shape.width * (1 if shape.tied else 2)
    adapter = adapter_weights(shape, config.rank)
    yield (
        f"model     {config.base.name}: {everything / 1e9:.2f} G weights, "
        f"{adapter / 1e6:.1f} M in an adapter of rank {config.rank}"
    )
    held = _HELD[way.weights]
    again = "computed twice" if way.checkpointing else "kept"
    yield f"way       {held}, activations {again}, {config.micro_tokens:,} tokens at once"
    use = way.memory
    device = config.machine.gpu or "this machine"
    yield (
        f"memory    {use.total / gb:.1f} GB of {plan.room / gb:.1f} GB ({device}): "
        f"weights {use.weights / gb:.1f}, adapter and optimizer {use.adapter / gb:.1f}, "
        f"activations {use.activations / gb:.1f}, loss {use.loss / gb:.1f}"
    )
    if use.total > plan.room:
        yield f"          It may not fit. {advice(config, way)}"
    total = plan.steps * config.batch
    counted = f"{plan.rows:,} rows" if plan.rows is not None else "rows"
    yield f"data      {counted} of {plan.row_tokens:.0f} tokens ({plan.known})"
    each = ceil(config.batch / plan.gpus)
    spread = f", {each} on each of {plan.gpus} GPUs" if plan.gpus > 1 else ""
    yield f"steps     {plan.steps:,} of {config.batch} rows{spread}: {total:,} rows in all"
    if plan.hours is None:
        yield "hours     not known: name a GPU under [machine], or see the first minute of a run"
    else:
        money = f", ${plan.cost:,.0f}" if plan.cost is not None else ""
        yield f"hours     {plan.hours:.1f} ({plan.speed}){money}"
