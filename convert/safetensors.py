"""A small, strict reader of safetensors headers.

Format: https://github.com/huggingface/safetensors#format. Eight bytes give the length of a
JSON header that maps names to dtype, shape and byte range; the data follow. The library's own
reader maps whole files, which counts a checkpoint as resident; here tensors are only located
and their rows are read later. Every number is checked against the file's size.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from bonito_local.errors import ConvertError

MAX_HEADER = 100_000_000
ITEM_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class TensorRef:
    """Where a tensor lies: row-major elements of `dtype` from byte `offset` of `path`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.elements * ITEM_BYTES[self.dtype]


def read_header(path: Path, size: int | None = None) -> dict[str, TensorRef]:
    """Return the tensors of one file by name, with ranges that lie inside the file.

    `size` is the file's, where only its header is there yet.

    Raises:
        ConvertError: the file cannot be read, is cut off, or its header lies; or a tensor
            has a dtype other than F32, F16 and BF16.
    """
    try:
        size = path.stat().st_size if size is None else size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, MAX_HEADER):
                raise _broken(path, "its header runs past its end")
            text = file.read(length)
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    # RecursionError: brackets nested thousands deep; ValueError: not JSON, not UTF-8.
    except (ValueError, RecursionError) as error:
        raise _broken(path, "its header is not valid JSON") from error
    if not isinstance(header, dict):
        raise _broken(path, "its header is not an object")
    header.pop("__metadata__", None)
    data = 8 + length
    tensors = {name: _tensor(path, name, entry, data) for name, entry in header.items()}
    _check_ranges(path, tensors, data, size)
    return tensors


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _tensor(path: Path, name: str, entry: Any, data: int) -> TensorRef:
    if not isinstance(entry, dict):
        raise _broken(path, f"the entry of {name!r} is not an object")
    dtype, shape, span = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or not _sizes(shape) or not _sizes(span) or len(span) != 2:
        raise _broken(path, f"the entry of {name!r} is malformed")
    if dtype not in ITEM_BYTES:
        raise ConvertError(
            f"Tensor {name!r} in {path} has type {dtype}.",
            "Weights must be F32, F16 or BF16: use the unquantized checkpoint.",
        )
    ref = TensorRef(name, dtype, tuple(shape), path, data + span[0])
    if span[1] - span[0] != ref.nbytes:
        raise _broken(path, f"{name!r} has a shape that does not match its bytes")
    return ref


def _sizes(value: Any) -> TypeGuard[list[int]]:
    # bool is an int to isinstance; sizes past 2**63 are lies.
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _check_ranges(path: Path, tensors: dict[str, TensorRef], data: int, size: int) -> None:
    """The format asks for no overlap and no hole, so a cut file cannot pass."""
    end = data
    for ref in sorted(tensors.values(), key=lambda r: (r.offset, r.nbytes)):
        if ref.offset != end:
            raise _broken(path, f"{ref.name!r} overlaps another tensor or leaves a hole")
        end += ref.nbytes
    if end != size:
        what = "is cut off" if end > size else "has bytes after its last tensor"
        raise _broken(path, f"the file {what} ({size} bytes, {end} expected)")


def _broken(path: Path, why: str) -> ConvertError:
    return ConvertError(f"{path} is not a sound safetensors file: {why}.", "Download it again.")
