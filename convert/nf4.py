"""NF4 with double quantization, as bitsandbytes rounds the base that Q-LoRA trains against.

Formats: bitsandbytes `functional.py` (`create_normal_map`, `create_dynamic_map`,
`quantize_4bit` with compress_statistics). Blocks of 64 weights share an absolute maximum;
the maxima, less their mean, are themselves rounded to 8 bits in blocks of 256.
"""

from __future__ import annotations

from bonito_local.convert.ggml import F32Array

BLOCK = 64


def block_maxima(weights: F32Array) -> F32Array:
    raise NotImplementedError


def round_scales(maxima: F32Array) -> F32Array:
    raise NotImplementedError


def round_trip(weights: F32Array, scales: F32Array, dtype: str) -> None:
    raise NotImplementedError
