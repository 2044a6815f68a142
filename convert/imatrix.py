"""Importance matrices of `llama-imatrix`: how much each column of a tensor matters.

Two forms, as in llama.cpp's `common/imatrix-loader.cpp`: GGUF, with sums of squared
activations and their counts, and the older binary one, with means over calls.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.convert.ggml import F32Array
from bonito_local.errors import ConvertError

MAX_LEGACY = 1 << 30
_SUMS, _COUNTS = ".in_sum2", ".counts"


def read_imatrix(path: Path) -> dict[str, F32Array]:
    """Return the mean squared activation of each column by GGUF tensor name.

    Raises:
        ConvertError: the file cannot be read, is not an importance matrix, or holds NaN.
        ModelError: it is a broken GGUF.
    """
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
            found = _from_gguf(path) if is_gguf else _from_legacy(path)
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise ConvertError(f"{path} has NaN or infinite values for {name}.", "Make it again.")
    return found


def _from_gguf(path: Path) -> dict[str, F32Array]:
    read_header(path)  # gguf-py trusts counts and offsets; this has checked them
    try:
        tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    except (ValueError, KeyError, IndexError) as error:
        raise _not_one(path) from error
    found: dict[str, F32Array] = {}
    for key, sums in tensors.items():
        name = key.removesuffix(_SUMS)
        if name == key:
            continue
        counts = tensors.get(name + _COUNTS)
        if counts is None or {sums.tensor_type, counts.tensor_type} != {GGMLQuantizationType.F32}:
            raise _not_one(path)
        if counts.data.size != 1:
            raise ConvertError(f"{path} is for a mixture of experts.", "Those are not supported.")
        calls = np.round(counts.data.reshape(-1)[0])
        values = np.array(sums.data, np.float32).reshape(-1)
        found[name] = values / calls if calls > 0 else np.ones_like(values)
    if not found:
        raise _not_one(path)
    return found


def _from_legacy(path: Path) -> dict[str, F32Array]:
    if path.stat().st_size > MAX_LEGACY:
        raise ConvertError(f"{path} is too large for an importance matrix.")
    data = path.read_bytes()
    found: dict[str, F32Array] = {}
    try:
        (entries,) = struct.unpack_from("<i", data)
        position = 4
        for _ in range(entries):
            (length,) = struct.unpack_from("<i", data, position)
            name = struct.unpack_from(f"<{length}s", data, position + 4)[0].decode("utf-8")
            calls, count = struct.unpack_from("<ii", data, position + 4 + length)
            position += 12 + length
            if count < 1 or count * 4 > len(data) - position:
                raise ValueError("an entry runs past the end")
            values = np.frombuffer(data, np.float32, count, position)
            found[name] = values / np.float32(calls) if calls > 0 else values
            position += 4 * count
    except (struct.error, ValueError) as error:
        raise _not_one(path) from error
    if not found:
        raise _not_one(path)
    return found


def _not_one(path: Path) -> ConvertError:
    return ConvertError(f"{path} is not an importance matrix.", "Make one with llama-imatrix.")
