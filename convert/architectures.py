"""What a checkpoint's config means in GGUF: names, rotary layout, hyperparameters.

Llama and Mistral share GGUF's `llama` architecture, whose query and key rows are ordered for
interleaved rotary pairs; Hugging Face stores the two halves of a head one after the other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gguf import (
    MODEL_ARCH,
    MODEL_ARCH_NAMES,
    GGUFWriter,
    RopeScalingType,
    TensorNameMap,
    get_tensor_name_map,
)

from bonito_local.convert.ggml import F32Array
from bonito_local.errors import ConvertError

SUPPORTED = {
    "LlamaForCausalLM": MODEL_ARCH.LLAMA,
    "MistralForCausalLM": MODEL_ARCH.LLAMA,
    "Qwen2ForCausalLM": MODEL_ARCH.QWEN2,
}

# Far beyond any model: each is held in memory before a tensor is looked at.
_MOST_LAYERS, _MOST_TOKENS = 10_000, 4_000_000

_LAYER = (
    "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
    "self_attn.v_proj.weight",
    "self_attn.o_proj.weight",
    "mlp.gate_proj.weight",
    "mlp.up_proj.weight",
    "mlp.down_proj.weight",
    "input_layernorm.weight",
    "post_attention_layernorm.weight",
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A supported model: its sizes, read and checked, and its rotary settings."""

    arch: MODEL_ARCH
    hf_name: str
    layers: int
    width: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int
    norm_eps: float
    tied: bool
    rope: Mapping[str, Any]
    biases: tuple[str, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read a `config.json`.

        Raises:
            ConvertError: the architecture is not supported, or a size is missing or absurd.
        """
        names = config.get("architectures")
        name = names[0] if isinstance(names, list) and names else None
        if not isinstance(name, str) or name not in SUPPORTED:
            raise ConvertError(
                f"Architecture {name!r} is not supported.", f"Supported: {', '.join(SUPPORTED)}."
            )
        if config.get("quantization_config"):
            raise ConvertError(
                "The checkpoint is already quantized.", "Convert the unquantized checkpoint."
            )
        heads = _size(config, "num_attention_heads")
        width = _size(config, "hidden_size")
        biases: tuple[str, ...] = ()
        if SUPPORTED[name] == MODEL_ARCH.QWEN2:
            biases = tuple(f"self_attn.{p}_proj.bias" for p in "qkv")
            if config.get("use_sliding_window"):
                raise ConvertError("Qwen2 with sliding-window attention is not supported.")
        elif config.get("attention_bias"):
            biases = tuple(f"self_attn.{p}_proj.bias" for p in "qkvo")
        if config.get("mlp_bias"):
            biases += tuple(f"mlp.{p}_proj.bias" for p in ("gate", "up", "down"))
        if (activation := config.get("hidden_act", "silu")) != "silu":
            raise ConvertError(f"Activation {activation!r} is not supported.", "Supported: silu.")
        architecture = cls(
            arch=SUPPORTED[name],
            hf_name=name,
            layers=_size(config, "num_hidden_layers", most=_MOST_LAYERS),
            width=width,
            ffn=_size(config, "intermediate_size"),
            heads=heads,
            kv_heads=_size(config, "num_key_value_heads", heads),
            head_dim=_size(config, "head_dim", width // heads),
            vocab=_size(config, "vocab_size", most=_MOST_TOKENS),
            context=_size(config, "max_position_embeddings"),
            norm_eps=_number(config, "rms_norm_eps"),
            tied=bool(config.get("tie_word_embeddings", False)),
            rope=_rope(config),
            biases=biases,
        )
        if architecture.heads % architecture.kv_heads or architecture.head_dim % 2:
            raise ConvertError("The config's attention heads do not divide into groups.")
        return architecture

    @property
    def gguf_arch(self) -> str:
        """GGUF's name of the architecture."""
        return MODEL_ARCH_NAMES[self.arch]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every Hugging Face tensor the model must have, in order, with its shape."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        rows = {"q": q, "k": kv, "v": kv, "o": self.width, "gate": self.ffn, "up": self.ffn}
        columns = {"o": q, "down": self.ffn}
        found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab, self.width)}
        for layer in range(self.layers):
            for tensor in (*_LAYER, *self.biases):
                part = tensor.split(".")[-2].removesuffix("_proj")
                out = rows.get(part, self.width)
                vector = tensor.endswith("bias") or part.endswith("layernorm")
                shape = (out,) if vector else (out, columns.get(part, self.width))
                found[f"model.layers.{layer}.{tensor}"] = shape
        found["model.norm.weight"] = (self.width,)
        if not self.tied:
            found["lm_head.weight"] = (self.vocab, self.width)
        return found

    def gguf_name(self, name: str) -> str:
        """Return the GGUF name of a Hugging Face tensor of this model."""
        found = _names(self.arch, self.layers).get_name(name, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise ConvertError(f"Tensor {name!r} has no name in GGUF.")
        return found

    def rotary_heads(self, name: str) -> int:
        """Return the heads whose rows must be interleaved, 0 where rows keep their order."""
        if self.arch != MODEL_ARCH.LLAMA:
            return 0
        if ".q_proj." in name:
            return self.heads
        return self.kv_heads if ".k_proj." in name else 0

    def rope_factors(self) -> F32Array | None:
        """Return Llama 3.1's per-frequency divisors ([head_dim / 2]), where the config asks."""
        if self.rope.get("rope_type") != "llama3":
            return None
        base, factor = _number(self.rope, "rope_theta"), _number(self.rope, "factor")
        low, high = (_number(self.rope, f"{end}_freq_factor") for end in ("low", "high"))
        original = _number(self.rope, "original_max_position_embeddings")
        exponents = np.arange(0, self.head_dim, 2, dtype=np.float32) / np.float32(self.head_dim)
        factors = []
        for frequency in np.float32(1) / np.float32(base) ** exponents:
            wavelength = 2 * math.pi / float(frequency)
            if wavelength < original / high:
                factors.append(1.0)
            elif wavelength > original / low:
                factors.append(factor)
            else:
                smooth = (original / wavelength - low) / (high - low)
                factors.append(1 / ((1 - smooth) / factor + smooth))
        return np.array(factors, dtype=np.float32)

    def write(self, writer: GGUFWriter) -> None:
        """Add the architecture's keys, as `convert_hf_to_gguf.py` names them."""
        writer.add_block_count(self.layers)
        writer.add_context_length(self.context)
        writer.add_embedding_length(self.width)
        writer.add_feed_forward_length(self.ffn)
        writer.add_head_count(self.heads)
        writer.add_head_count_kv(self.kv_heads)
        writer.add_layer_norm_rms_eps(self.norm_eps)
        writer.add_rope_freq_base(_number(self.rope, "rope_theta", 10000.0))
        writer.add_rope_dimension_count(self.head_dim)
        writer.add_key_length(self.head_dim)
        writer.add_value_length(self.head_dim)
        writer.add_vocab_size(self.vocab)
        kind = self.rope.get("rope_type")
        if kind in ("linear", "yarn"):
            writer.add_rope_scaling_type(RopeScalingType(kind))
            writer.add_rope_scaling_factor(_number(self.rope, "factor"))
        if kind == "yarn":
            writer.add_rope_scaling_orig_ctx_len(
                _size(self.rope, "original_max_position_embeddings")
            )


@functools.cache
def _names(arch: MODEL_ARCH, layers: int) -> TensorNameMap:
    """Names of a model's tensors; kept, since to make them takes longer than to look one up."""
    return get_tensor_name_map(arch, layers)


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `rope_theta`, `rope_scaling` (transformers 4) and `rope_parameters` (5)."""
    rope: dict[str, Any] = {}
    if "rope_theta" in config:
        rope["rope_theta"] = config["rope_theta"]
    for key in ("rope_scaling", "rope_parameters"):
        if isinstance(config.get(key), dict):
            rope |= config[key]
    rope["rope_type"] = rope.get("rope_type", rope.get("type", "default"))
    if rope["rope_type"] not in ("default", "linear", "yarn", "llama3"):
        raise ConvertError(
            f"Rotary scaling {rope['rope_type']!r} is not supported.",
            "Supported: default, linear, yarn, llama3.",
        )
    return rope


def _size(
    config: Mapping[str, Any], key: str, default: int | None = None, most: int = (1 << 31) - 1
) -> int:
    value = config.get(key)
    if value is None:
        value = default
    if type(value) is not int or not 0 < value <= most:
        raise ConvertError(f"The config's {key} is {value!r:.60}.", "Check config.json.")
    return value


def _number(config: Mapping[str, Any], key: str, default: float | None = None) -> float:
    value = config.get(key, default)
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ConvertError(f"The config's {key} is {value!r}.", "Check config.json.")
    return float(value)
