"""Rows of a stored tensor as float32, read when they are needed.

Files are read, not mapped: the pages of a mapped checkpoint count as the process's memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np

from bonito_local.convert.ggml import F32Array, U8Array, bf16_to_f32
from bonito_local.convert.safetensors import ITEM_BYTES, TensorRef
from bonito_local.errors import ConvertError


class RowReader:
    """Reads rows into buffers that it keeps. Not shared between threads."""

    def __init__(self) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self._raw: U8Array = np.empty(0, np.uint8)

    def read(self, ref: TensorRef, first: int, out: F32Array) -> None:
        """Fill `out` ([elements], contiguous) from element `first` of the tensor on.

        Raises:
            ConvertError: the file has become shorter, or cannot be read.
        """
        item = ITEM_BYTES[ref.dtype]
        if ref.dtype == "F32":
            self._fill(ref, first * item, out.view(np.uint8))
            return
        if self._raw.size < out.size * item:
            self._raw = np.empty(out.size * item, np.uint8)
        raw = self._raw[: out.size * item]
        self._fill(ref, first * item, raw)
        if ref.dtype == "BF16":
            bf16_to_f32(raw, out)
        else:
            out[:] = raw.view(np.float16)

    def _fill(self, ref: TensorRef, start: int, out: U8Array) -> None:
        try:
            if ref.path not in self._files:
                self._files[ref.path] = ref.path.open("rb", buffering=0)
            file = self._files[ref.path]
            file.seek(ref.offset + start)
            view = out.data
            while view:
                count = file.readinto(view)  # type: ignore[attr-defined]
                if not count:
                    raise ConvertError(f"{ref.path} became shorter while it was read.")
                view = view[count:]
        except OSError as error:
            raise ConvertError(f"{ref.path} cannot be read: {error.strerror}.") from error

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def read_array(ref: TensorRef) -> F32Array:
    """Read a whole, small tensor as float32 in its own shape."""
    out = np.empty(ref.elements, np.float32)
    reader = RowReader()
    try:
        reader.read(ref, 0, out)
    finally:
        reader.close()
    return out.reshape(ref.shape)
