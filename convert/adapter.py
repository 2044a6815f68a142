"""PEFT LoRA adapters: which weights they change, checked before anything is merged."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bonito_local.convert.checkpoint import read_json
from bonito_local.convert.ggml import F32Array
from bonito_local.convert.rows import read_array
from bonito_local.convert.safetensors import TensorRef, read_header
from bonito_local.errors import ConvertError

# Settings that change what the weights mean, and are not merged here.
_REFUSED = (
    "alora_invocation_tokens",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
)
# Initialisations that replace the base's weights, so that adding to the original is wrong.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_PREFIX = "base_model.model."
_LONGEST_MODULE, _LONGEST_PATTERN = 100, 200  # characters; published ones have up to 60
_MOST_PARTS = 3  # repetitions of a pattern, and groups
_KEY = re.compile(
    r"(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_embedding_A|lora_embedding_B"
    r"|lora_magnitude_vector)(\.weight)?"
)


@dataclass(frozen=True, slots=True)
class LowRank:
    """One module's update, W + scale * B A, with DoRA's row magnitudes where it has them.

    `a` is [rank, in] and `b` [out, rank]; an embedding's are transposed: the rows of its
    table are `a`'s columns.
    """

    a: TensorRef
    b: TensorRef
    scale: float
    magnitude: TensorRef | None
    embedding: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the weight that it changes."""
        if self.embedding:
            return self.a.shape[1], self.b.shape[0]
        return self.b.shape[0], self.a.shape[1]

    def load(self) -> tuple[F32Array, F32Array, F32Array | None]:
        """Return (left [rows, rank] times the scale, right [rank, columns], magnitudes)."""
        a, b = read_array(self.a), read_array(self.b)
        left, right = (a.T.copy(), b.T.copy()) if self.embedding else (b, a)
        left *= np.float32(self.scale)
        return left, right, None if self.magnitude is None else read_array(self.magnitude)


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter's updates by Hugging Face tensor name, and the tensors it replaces whole."""

    path: Path
    base: str
    keeps_tied: bool
    updates: Mapping[str, LowRank]
    replaced: Mapping[str, TensorRef]

    @property
    def file(self) -> Path:
        """The weights."""
        return self.path / "adapter_model.safetensors"


def open_adapter(path: Path) -> Adapter:
    """Read a PEFT adapter folder.

    Raises:
        ConvertError: not a LoRA adapter, a variety that cannot be merged exactly, tensors
            that do not pair up, or one that would change nothing.
    """
    config = read_json(path / "adapter_config.json")
    _check_config(path, config)
    file = path / "adapter_model.safetensors"
    if not file.exists() and (path / "adapter_model.bin").exists():
        raise ConvertError(
            f"{path} holds a pickled adapter, which is never loaded.",
            "Save it with safetensors (`save_pretrained` of a recent PEFT).",
        )
    parts: dict[str, dict[str, TensorRef]] = {}
    replaced: dict[str, TensorRef] = {}
    for key, ref in read_header(file).items():
        name = key.removeprefix(_PREFIX)
        if match := _KEY.fullmatch(name):
            parts.setdefault(match["module"], {})[match["part"]] = ref
        else:
            replaced[name.replace(".base_layer.", ".").replace(".modules_to_save.", ".")] = ref
    updates = {f"{m}.weight": _update(path, m, found, config) for m, found in parts.items()}
    if updates and not replaced and not any(np.any(read_array(u.b)) for u in updates.values()):
        raise ConvertError(
            f"Every B matrix of {path} is zero: merging it would change nothing.",
            "Give an adapter that was trained.",
        )
    if not updates and not replaced:
        raise ConvertError(f"{path} holds no LoRA weights.", "Give a trained adapter.")
    return Adapter(
        path,
        base=str(config.get("base_model_name_or_path") or ""),
        keeps_tied=bool(config.get("ensure_weight_tying")),
        updates=updates,
        replaced=replaced,
    )


def _check_config(path: Path, config: Mapping[str, Any]) -> None:
    if (kind := config.get("peft_type")) != "LORA":
        raise ConvertError(f"{path} is a {kind} adapter.", "Only LORA adapters can be merged.")
    if used := [name for name in _REFUSED if config.get(name)]:
        raise ConvertError(
            f"{path} uses {', '.join(used)}, which cannot be merged here.",
            "Merge it with PEFT and convert the result.",
        )
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        raise ConvertError(
            f"{path} was initialised with {start!r}, which changes the base's own weights.",
            "Save it with PEFT's path_initial_model_for_weight_conversion.",
        )


def _update(
    path: Path, module: str, found: Mapping[str, TensorRef], config: Mapping[str, Any]
) -> LowRank:
    embedding = "lora_embedding_A" in found
    names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A", "lora_B")
    a, b = (found.get(name) for name in names)
    magnitude = found.get("lora_magnitude_vector")
    if a is None or b is None or len(found) != 2 + (magnitude is not None):
        raise ConvertError(f"{path} has only part of the update of {module}.")
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[0] != b.shape[1] or not a.shape[0]:
        raise ConvertError(f"{path}: the matrices of {module} do not fit each other.")
    rank = a.shape[0]
    said = _by_pattern(config.get("rank_pattern"), module, config.get("r"))
    alpha = _by_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha"))
    if said != rank:
        raise ConvertError(f"{path}: {module} has rank {rank}, but the config says {said}.")
    if type(alpha) not in (int, float) or not math.isfinite(alpha) or alpha == 0:
        raise ConvertError(f"{path} has lora_alpha {alpha!r}.", "Check adapter_config.json.")
    if magnitude is not None and (embedding or magnitude.shape != (b.shape[0],)):
        raise ConvertError(f"{path}: DoRA's magnitudes of {module} do not fit.")
    if bool(config.get("use_dora")) != (magnitude is not None):
        raise ConvertError(f"{path}: {module} and use_dora in the config disagree.")
    scale = alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank
    return LowRank(a, b, scale, magnitude, embedding)


def _by_pattern(patterns: Any, module: str, default: Any) -> Any:
    """PEFT's own matching: a pattern names the end of a module's path."""
    if not isinstance(patterns or {}, dict):
        raise ConvertError("The adapter's patterns are no object.", "Check adapter_config.json.")
    for pattern, value in (patterns or {}).items():
        if len(module) > _LONGEST_MODULE or not _is_quick(pattern):
            raise ConvertError(
                f"The adapter has a pattern that may take for ever: {pattern!r:.60}.",
                "Write the names of modules out in adapter_config.json.",
            )
        try:
            if re.fullmatch(rf"(.*\.)?({pattern})", module):
                return value
        except re.error as error:
            raise ConvertError(f"The adapter has a malformed pattern: {pattern!r}.") from error
    return default


def _is_quick(pattern: str) -> bool:
    """Return whether a regular expression of a stranger's ends soon, whatever it is held against.

    Each repetition and each group multiplies the ways to match; one in the other has no bound.
    """
    repeated, groups = len(re.findall(r"[*+?{]", pattern)), pattern.count("(")
    nested = re.search(r"\)[*+{]", pattern)
    return not nested and len(pattern) <= _LONGEST_PATTERN and max(repeated, groups) <= _MOST_PARTS
