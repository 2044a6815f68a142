"""NF4 with double quantization, as bitsandbytes rounds the base that Q-LoRA trains against.

Formats: bitsandbytes `functional.py` (`quantize_4bit` with compress_statistics, and
`create_dynamic_map`) and the Q-LoRA paper, arXiv 2305.14314. Blocks of 64 weights in a row
share an absolute maximum; the maxima, less their mean over the tensor, are themselves rounded
to 8 bits in blocks of 256.
"""

from __future__ import annotations

import functools

import numpy as np

from bonito_local.convert.ggml import F32Array

BLOCK = 64
_SCALE_BLOCK = 256

_LEVELS = np.array(
    [
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ],
    dtype=np.float32,
)
_MIDPOINTS = (_LEVELS[:-1] + _LEVELS[1:]) / np.float32(2)


def block_maxima(weights: F32Array) -> F32Array:
    """Return the absolute maximum of each block of 64 weights, in order; the last may be short."""
    flat = weights.reshape(-1)
    whole = flat.size // BLOCK * BLOCK
    maxima: F32Array = np.abs(flat[:whole].reshape(-1, BLOCK)).max(axis=1)
    if whole < flat.size:
        maxima = np.append(maxima, np.abs(flat[whole:]).max())
    return maxima


def round_scales(maxima: F32Array) -> F32Array:
    """Return a tensor's block maxima after their own quantization to 8 bits and back."""
    mean = maxima.mean(dtype=np.float64).astype(np.float32)
    rest = maxima - mean
    codes = _dynamic_map()
    midpoints = (codes[:-1].astype(np.float64) + codes[1:]) / 2
    out: F32Array = np.empty_like(rest)
    for start in range(0, rest.size, _SCALE_BLOCK):
        block = rest[start : start + _SCALE_BLOCK]
        largest = np.abs(block).max()
        normed = block / largest if largest > 0 else block
        nearest = codes[np.searchsorted(midpoints, normed, side="left")]
        out[start : start + _SCALE_BLOCK] = nearest * largest
    out += mean
    return out


def round_trip(weights: F32Array, maxima: F32Array, scales: F32Array) -> None:
    """Round bfloat16 `weights` in place to NF4 and back to bfloat16.

    `maxima` and `scales` are those of the blocks that `weights` starts with: a weight is coded
    by the exact maximum of its block and decoded by the rounded one.
    """
    flat = weights.reshape(-1)
    counts = np.full(-(-flat.size // BLOCK), BLOCK)
    counts[-1] = flat.size - BLOCK * (counts.size - 1)
    inverse = np.float32(1) / np.maximum(maxima[: counts.size], np.float32(1e-38))
    flat *= np.repeat(inverse, counts)
    flat[:] = _LEVELS[np.searchsorted(_MIDPOINTS, flat, side="left")]
    flat *= np.repeat(scales[: counts.size], counts)
    round_to_bf16(flat)


def round_to_bf16(values: F32Array) -> None:
    """Round to the nearest bfloat16, ties to even, in place; the values are finite.

    Training loads a base in bfloat16, however it is stored, before it is rounded to NF4.
    """
    bits = values.reshape(-1).view(np.uint32)
    bits += np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    bits &= np.uint32(0xFFFF0000)


@functools.cache
def _dynamic_map() -> F32Array:
    """The signed 8-bit code of bitsandbytes: seven decades, the larger the finer."""
    values = [0.0, 1.0]
    for exponent in range(7):
        edges = _linspace(0.1, 1.0, 2**exponent + 1)
        means = (edges[:-1] + edges[1:]) / np.float32(2)
        decade = np.float32(10.0 ** (exponent - 6)) * means
        values += [*decade.tolist(), *(-decade).tolist()]
    return np.sort(np.array(values, dtype=np.float32))


def _linspace(start: float, end: float, count: int) -> F32Array:
    """torch.linspace in float32, from which the code's values come: one rounding a step."""
    first, last = np.float32(start), np.float32(end)
    step = np.float64((last - first) / np.float32(count - 1))
    index = np.arange(count)
    up, down = first + step * index, last - step * (count - 1 - index)
    return np.where(index < count // 2, up, down).astype(np.float32)
