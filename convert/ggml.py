"""ggml's own quantizers, called over chunks of rows through ctypes.

The functions come from the `libggml-base` that llama-cpp-python installs, so a tensor
quantized here has the bytes that the same release of `llama-quantize` writes. ctypes
releases the GIL during a call: chunks quantize in parallel in Python threads.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from bonito_local.errors import ConvertError

F32Array = npt.NDArray[np.float32]
U8Array = npt.NDArray[np.uint8]

_LIBRARY = {"darwin": "libggml-base.dylib", "win32": "ggml-base.dll"}


@functools.cache
def _library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        raise ConvertError(
            "llama-cpp-python is not installed.", "Install it: pip install llama-cpp-python."
        )
    path = Path(spec.origin).parent / "lib" / _LIBRARY.get(sys.platform, "libggml-base.so")
    try:
        lib = ctypes.CDLL(str(path))
        quantize = lib.ggml_quantize_chunk
        quantize_init = lib.ggml_quantize_init
        bf16_row = lib.ggml_bf16_to_fp32_row
    except (OSError, AttributeError) as error:
        raise ConvertError(
            f"The quantizers of llama.cpp cannot be used: {error}.",
            "Reinstall llama-cpp-python.",
        ) from error
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [
        ctypes.c_int,  # type
        ctypes.c_void_p,  # float32 source
        ctypes.c_void_p,  # destination
        ctypes.c_int64,  # first element
        ctypes.c_int64,  # rows
        ctypes.c_int64,  # elements per row
        ctypes.c_void_p,  # importance of each column, or null
    ]
    quantize_init.restype = None
    quantize_init.argtypes = [ctypes.c_int]
    bf16_row.restype = None
    bf16_row.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    return lib


def prepare(types: set[GGMLQuantizationType]) -> None:
    """Build the lookup tables that `types` need, once, before threads start.

    Raises:
        ConvertError: llama.cpp's library is missing or too old.
    """
    for kind in types:
        _library().ggml_quantize_init(int(kind))


def row_bytes(kind: GGMLQuantizationType, columns: int) -> int:
    """Return the bytes of one row; `columns` must be a multiple of the type's block."""
    block, size = GGML_QUANT_SIZES[kind]
    return columns // block * size


def quantize(
    kind: GGMLQuantizationType, rows: F32Array, out: U8Array, importance: F32Array | None = None
) -> int:
    """Quantize `rows` ([n, columns], contiguous) into `out` and return the bytes written.

    `importance` ([columns]) weighs the squared error of each column.
    """
    count, columns = rows.shape
    needed = count * row_bytes(kind, columns)
    if out.nbytes < needed or not rows.flags.c_contiguous:
        raise ValueError("the buffers do not fit the rows")
    weights = None if importance is None else importance.ctypes.data
    written: int = _library().ggml_quantize_chunk(
        int(kind), rows.ctypes.data, out.ctypes.data, 0, count, columns, weights
    )
    return written


def bf16_to_f32(source: U8Array, out: F32Array) -> None:
    """Widen little-endian bfloat16 bytes into `out`, which sets the number of elements."""
    _library().ggml_bf16_to_fp32_row(source.ctypes.data, out.ctypes.data, out.size)
