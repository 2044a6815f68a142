"""Which type each tensor gets: llama.cpp's named mixes for dense models.

The rules are those of `llama-quant.cpp` (llama.cpp as in llama-cpp-python 0.3.36); a test
compares every tensor's type and bytes with `llama_model_quantize` of the installed library.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from gguf import GGML_QUANT_SIZES, LlamaFileType
from gguf import GGMLQuantizationType as T

from bonito_local.errors import UsageError


@dataclass(frozen=True, slots=True)
class Mix:
    """A named recipe: `base` for most tensors, more bits where errors cost most.

    `token_embedding` replaces what the recipe gives the token embedding.
    """

    name: str
    file_type: LlamaFileType
    base: T
    token_embedding: T | None = None


MIXES: dict[str, Mix] = {
    mix.name: mix
    for mix in (
        Mix("F32", LlamaFileType.ALL_F32, T.F32),
        Mix("F16", LlamaFileType.MOSTLY_F16, T.F16),
        Mix("BF16", LlamaFileType.MOSTLY_BF16, T.BF16),
        Mix("Q8_0", LlamaFileType.MOSTLY_Q8_0, T.Q8_0),
        Mix("Q6_K", LlamaFileType.MOSTLY_Q6_K, T.Q6_K),
        Mix("Q5_K_M", LlamaFileType.MOSTLY_Q5_K_M, T.Q5_K),
        Mix("Q5_K_S", LlamaFileType.MOSTLY_Q5_K_S, T.Q5_K),
        Mix("Q5_1", LlamaFileType.MOSTLY_Q5_1, T.Q5_1),
        Mix("Q5_0", LlamaFileType.MOSTLY_Q5_0, T.Q5_0),
        Mix("Q4_K_M", LlamaFileType.MOSTLY_Q4_K_M, T.Q4_K),
        Mix("Q4_K_S", LlamaFileType.MOSTLY_Q4_K_S, T.Q4_K),
        Mix("Q4_1", LlamaFileType.MOSTLY_Q4_1, T.Q4_1),
        Mix("Q4_0", LlamaFileType.MOSTLY_Q4_0, T.Q4_0),
        Mix("IQ4_NL", LlamaFileType.MOSTLY_IQ4_NL, T.IQ4_NL),
        Mix("IQ4_XS", LlamaFileType.MOSTLY_IQ4_XS, T.IQ4_XS),
        Mix("Q3_K_L", LlamaFileType.MOSTLY_Q3_K_L, T.Q3_K),
        Mix("Q3_K_M", LlamaFileType.MOSTLY_Q3_K_M, T.Q3_K),
        Mix("Q3_K_S", LlamaFileType.MOSTLY_Q3_K_S, T.Q3_K),
        Mix("Q2_K", LlamaFileType.MOSTLY_Q2_K, T.Q2_K),
        Mix("Q2_K_S", LlamaFileType.MOSTLY_Q2_K_S, T.Q2_K),
    )
}

_FLOATS = {T.F32, T.F16, T.BF16}

# Where a row does not divide into blocks of 256, a type with blocks of 32.
_FALLBACK = {
    T.IQ4_XS: T.IQ4_NL,
    T.Q2_K: T.Q4_0,
    T.Q3_K: T.Q4_0,
    T.Q4_K: T.Q5_0,
    T.Q5_K: T.Q5_1,
    T.Q6_K: T.Q8_0,
}


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the rules ask of a model."""

    layers: int
    heads: int
    kv_heads: int
    tied: bool
    has_imatrix: bool

    @property
    def gqa(self) -> int:
        """Query heads per key-value head."""
        return self.heads // self.kv_heads

    @property
    def is_70b(self) -> bool:
        """Whether llama.cpp takes it for a Llama 70B, which gets more bits in `attn_v`."""
        return self.layers == 80 and self.heads != self.kv_heads


def find_mix(name: str) -> Mix:
    """Look a mix up by name, in any case.

    Raises:
        UsageError: the name is unknown; the remedy names the nearest.
    """
    mix = MIXES.get(name.upper())
    if mix is None:
        near = difflib.get_close_matches(name.upper(), list(MIXES), n=1, cutoff=0.6)
        remedy = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(MIXES)}."
        raise UsageError(f"Unknown quantization {name!r}.", remedy)
    return mix


def tensor_type(name: str, shape: tuple[int, ...], mix: Mix, model: ModelShape) -> T:
    """Return the type of the GGUF tensor `name`, of `shape` (rows, columns) or (columns,).

    One-dimensional tensors stay float32, as `convert_hf_to_gguf.py` leaves them.
    """
    if len(shape) < 2 or not name.endswith("weight"):
        return T.F32
    columns = shape[-1]
    if mix.token_embedding is not None and name == "token_embd.weight":
        kind = mix.token_embedding
    else:
        kind = _mixed_type(name, columns, mix, model)
    if columns % GGML_QUANT_SIZES[kind][0]:
        kind = _FALLBACK.get(kind, kind)
    return T.F16 if columns % GGML_QUANT_SIZES[kind][0] else kind


def needs_imatrix(name: str, kind: T, mix: Mix) -> bool:
    """Whether llama.cpp refuses this tensor without an importance matrix."""
    return (
        kind == T.Q2_K
        and mix.name == "Q2_K_S"
        and name not in ("token_embd.weight", "output.weight")
    )


def _more_bits(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _mixed_type(name: str, columns: int, mix: Mix, model: ModelShape) -> T:
    if mix.base in _FLOATS:
        return mix.base
    if name == "output.weight" or (model.tied and name == "token_embd.weight"):
        if columns % GGML_QUANT_SIZES[mix.base][0] or mix.base == T.Q8_0:
            return T.Q8_0
        return T.Q6_K
    if not name.startswith("blk."):
        return mix.base
    layer, tensor = int(name.split(".")[1]), name.split(".")[2]
    if tensor == "attn_v":
        kind = _attn_v(mix, layer, model)
        return T.Q5_K if model.is_70b and kind in (T.Q3_K, T.Q4_K) else kind
    if tensor == "ffn_down":
        return _ffn_down(mix, layer, model)
    if tensor == "attn_output":
        return {"Q2_K": T.Q3_K, "Q3_K_M": T.Q4_K, "Q3_K_L": T.Q5_K}.get(mix.name, mix.base)
    return mix.base


def _attn_v(mix: Mix, layer: int, model: ModelShape) -> T:
    match mix.name:
        case "Q2_K":
            return T.Q4_K if model.gqa >= 4 else T.Q3_K
        case "Q2_K_S" if model.gqa >= 4:
            return T.Q4_K
        case "Q3_K_M":
            return T.Q5_K if layer < 2 else T.Q4_K
        case "Q3_K_L":
            return T.Q5_K
        case "IQ4_NL" | "IQ4_XS" if model.gqa >= 4:
            return T.Q5_K
        case "Q4_K_M" | "Q5_K_M" if _more_bits(layer, model.layers):
            return T.Q6_K
        case "Q4_K_S" if layer < 4:
            return T.Q5_K
    return mix.base


def _ffn_down(mix: Mix, layer: int, model: ModelShape) -> T:
    early = layer < model.layers // 8
    match mix.name:
        case "Q2_K":
            return T.Q3_K
        case "Q2_K_S" if early:
            return T.Q4_K
        case "Q3_K_M":
            return T.Q5_K if layer < model.layers // 16 else T.Q4_K
        case "Q3_K_L":
            return T.Q5_K
        case "Q4_K_M" | "Q5_K_M" if _more_bits(layer, model.layers):
            return T.Q6_K
        case "IQ4_NL" | "IQ4_XS" if early and not model.has_imatrix:
            return T.Q5_K
        case "Q4_K_S" if early:
            return T.Q5_K
        case "Q4_0" if early and model.has_imatrix:
            return T.Q4_1
        case "Q5_0" if early and model.has_imatrix:
            return T.Q5_1
    return mix.base
