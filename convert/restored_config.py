"""A checkpoint's `config.json`, rebuilt from a GGUF's keys and the names of its tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from bonito_local.backends.llamacpp.gguf_file import Value
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.ggml import F32Array
from bonito_local.convert.gguf_source import GgufSource
from bonito_local.convert.vocab import GGUF_NAMES
from bonito_local.errors import ConvertError

# GGUF's architecture -> Hugging Face's class and model type. Mistral's weights are named and
# computed as Llama's are, and GGUF does not tell the two apart.
_CLASSES = {"llama": ("LlamaForCausalLM", "llama"), "qwen2": ("Qwen2ForCausalLM", "qwen2")}
FREQUENCIES = "rope_freqs.weight"
_UNKNOWN_TO_CHECKPOINTS = ("expert_count", "attention.scale", "logit_scale", "embedding_scale")
_AGAIN = "Convert or download the model again."
_LARGEST_CONTEXT = 1 << 20


def restore_config(source: GgufSource) -> dict[str, Any]:
    """Return the `config.json` of a GGUF's model, without a dtype.

    Raises:
        ConvertError: the architecture or one of its settings is not supported, or a key is missing.
    """
    keys = _Keys(source)
    name, model_type = _CLASSES[keys.arch]
    width, heads, head_dim = _attention(source, keys)
    config: dict[str, Any] = {
        "architectures": [name],
        "model_type": model_type,
        "vocab_size": _vocabulary_size(source),
        "hidden_size": width,
        "intermediate_size": keys.integer("feed_forward_length"),
        "num_hidden_layers": keys.integer("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": keys.integer("attention.head_count_kv", heads),
        "hidden_act": "silu",
        "max_position_embeddings": keys.integer("context_length"),
        "rms_norm_eps": keys.decimal("attention.layer_norm_rms_epsilon"),
        "rope_theta": keys.decimal("rope.freq_base", 10000.0),
        "tie_word_embeddings": "output.weight" not in source.tensors,
        "initializer_range": 0.02,
        "attention_dropout": 0.0,
        "use_cache": True,
    }
    if model_type == "llama":
        config["attention_bias"] = "blk.0.attn_q.bias" in source.tensors
        config["mlp_bias"] = "blk.0.ffn_gate.bias" in source.tensors
    else:
        config["use_sliding_window"] = False
    if model_type == "llama" or head_dim != width // heads:
        config["head_dim"] = head_dim
    if scaling := _rope_scaling(source, keys, config):
        config["rope_scaling"] = scaling
    for kind in ("bos", "eos", "pad"):
        token = source.metadata.get(f"tokenizer.ggml.{GGUF_NAMES[kind]}_token_id")
        if token is not None:
            config[f"{kind}_token_id"] = token
    if licence := source.metadata.get("general.license"):
        config["license"] = licence
    return config


class _Keys:
    """The keys of a file's own architecture, without its name before them."""

    def __init__(self, source: GgufSource) -> None:
        self.path = source.path
        self.arch = str(source.metadata.get("general.architecture", ""))
        if self.arch not in _CLASSES:
            raise ConvertError(
                f"{self.path} has architecture {self.arch!r}, which has no checkpoint form here.",
                f"Supported: {', '.join(_CLASSES)}.",
            )
        self._values = {
            key.removeprefix(f"{self.arch}."): value for key, value in source.metadata.items()
        }

    def get(self, key: str, default: Value | None = None) -> Value | None:
        return self._values.get(key, default)

    def integer(self, key: str, default: int | None = None) -> int:
        value = self._values.get(key, default)
        if not isinstance(value, int) or value < 1:
            raise ConvertError(f"{self.path} has {value!r} for {self.arch}.{key}.", _AGAIN)
        return value

    def decimal(self, key: str, default: float | None = None) -> float:
        """The shortest decimal of a float32: 1e-06, not 9.999999974752427e-07."""
        value = self._values.get(key, default)
        if not isinstance(value, float):
            raise ConvertError(f"{self.path} has {value!r} for {self.arch}.{key}.", _AGAIN)
        return float(str(np.float32(value)))


def _attention(source: GgufSource, keys: _Keys) -> tuple[int, int, int]:
    """Return the width, the number of heads, and the width of a head."""
    for key in _UNKNOWN_TO_CHECKPOINTS:
        if keys.get(key):
            raise ConvertError(f"{source.path} sets {keys.arch}.{key}, which is not supported.")
    width, heads = keys.integer("embedding_length"), keys.integer("attention.head_count")
    head_dim = keys.integer("attention.key_length", width // heads)
    for key in ("rope.dimension_count", "attention.value_length"):
        if keys.integer(key, head_dim) != head_dim:
            raise ConvertError(
                f"{source.path} has heads of {head_dim}; its {keys.arch}.{key} is {keys.get(key)}.",
                "Only heads whose parts are of one width are supported.",
            )
    return width, heads, head_dim


def _vocabulary_size(source: GgufSource) -> int:
    embedding = source.tensors.get("token_embd.weight")
    tokens = len(source.lists.get("tokenizer.ggml.tokens", ()))
    if embedding is None:
        raise ConvertError(f"{source.path} has no tensor token_embd.weight.", _AGAIN)
    if embedding.shape[0] != tokens:
        raise ConvertError(
            f"{source.path} lists {tokens} tokens, but has {embedding.shape[0]} embeddings.", _AGAIN
        )
    return tokens


def _rope_scaling(source: GgufSource, keys: _Keys, config: dict[str, Any]) -> dict[str, Any] | None:
    kind = keys.get("rope.scaling.type", "none")
    if FREQUENCIES in source.tensors:
        return _llama3_scaling(source, config)
    if kind == "none":
        return None
    if kind not in ("linear", "yarn"):
        raise ConvertError(
            f"{source.path} has rotary scaling {kind!r}, which is not supported.",
            "Supported: linear, yarn, and Llama 3's.",
        )
    scaling: dict[str, Any] = {"rope_type": kind, "factor": keys.decimal("rope.scaling.factor")}
    if original := keys.get("rope.scaling.original_context_length"):
        scaling["original_max_position_embeddings"] = original
    return scaling


def _llama3_scaling(source: GgufSource, config: dict[str, Any]) -> dict[str, Any]:
    """Find Llama 3's settings, of which GGUF keeps the resulting divisors alone."""
    tensor = source.tensors[FREQUENCIES]
    divisors: F32Array = next(source.blocks(tensor, 1)).view(np.float32).reshape(-1)
    original = 1024
    while original <= _LARGEST_CONTEXT:
        scaling = {
            "rope_type": "llama3",
            "factor": float(divisors.max()),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": original,
        }
        computed = Architecture.from_config(config | {"rope_scaling": scaling}).rope_factors()
        if computed is not None and _alike(computed, divisors):
            return scaling
        original *= 2
    raise ConvertError(
        f"{source.path} scales rotary frequencies in a way that no known setting gives.",
        "Use the checkpoint that it was made from.",
    )


def _alike(some: F32Array, others: F32Array) -> bool:
    return some.shape == others.shape and np.allclose(some, others, rtol=1e-5, atol=0)
