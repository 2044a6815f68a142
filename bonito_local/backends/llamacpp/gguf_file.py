"""Check a GGUF file's layout before an engine maps it.

llama.cpp trusts a file more than a file from elsewhere deserves: this reads the header
with every length bounded by the file's size, and the extent of every tensor.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

from bonito_local.errors import ModelError

_MAGIC = b"GGUF"
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_MAX_DIMS = 4
_AGAIN = "Download or convert the model again."


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Scalar and string metadata, the length of each array, and each tensor's shape.

    Shapes are as stored, the fastest-varying dimension first.
    """

    metadata: dict[str, str | int | float | bool]
    arrays: dict[str, int]
    tensors: dict[str, tuple[int, ...]]


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF file; no tensor data is read.

    Raises:
        ModelError: the file is missing, unreadable, not GGUF, of a version or byte order
            that llama.cpp does not read, or shorter than its header says.
    """
    try:
        with path.open("rb") as file:
            return _Reader(file, path).header()
    except OSError as error:
        raise ModelError(
            f"The model file {path} cannot be read: {error.strerror}.", "Check the path."
        ) from error


class _Reader:
    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.size = file.seek(0, 2)
        file.seek(0)

    def header(self) -> GgufHeader:
        if self.file.read(4) != _MAGIC:
            raise ModelError(
                f"{self.path} is not a GGUF file.",
                "Make one of a checkpoint with `bonito-local convert`.",
            )
        version = self.scalar("I")
        if version not in (2, 3):
            raise ModelError(f"{self.path} has GGUF version {version}, not 2 or 3.", _AGAIN)
        n_tensors, n_pairs = self.count(), self.count()
        metadata: dict[str, str | int | float | bool] = {}
        arrays: dict[str, int] = {}
        for _ in range(n_pairs):
            key = self.string()
            kind = self.scalar("I")
            if kind == _ARRAY:
                arrays[key] = self.skip_array()
            else:
                metadata[key] = self.string() if kind == _STRING else self.scalar(self.code(kind))
        return GgufHeader(metadata, arrays, self.tensors(n_tensors, metadata))

    def tensors(
        self, count: int, metadata: dict[str, str | int | float | bool]
    ) -> dict[str, tuple[int, ...]]:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        sizes = {int(kind): GGML_QUANT_SIZES[kind] for kind in GGMLQuantizationType}
        shapes: dict[str, tuple[int, ...]] = {}
        end = 0
        for _ in range(count):
            name = self.string()
            n_dims = self.scalar("I")
            if n_dims > _MAX_DIMS or name in shapes:
                raise self.broken(f"tensor {name!r} is malformed")
            shape = tuple(self.scalar("Q") for _ in range(n_dims))
            kind, offset = self.scalar("I"), self.scalar("Q")
            if kind not in sizes:
                raise ModelError(
                    f"{self.path} holds a tensor of unknown type {kind}.",
                    "It may be newer than the installed llama.cpp: update llama-cpp-python.",
                )
            block, block_bytes = sizes[kind]
            if 0 in shape or (shape[:1] and shape[0] % block):
                raise self.broken(f"tensor {name!r} has shape {shape}")
            shapes[name] = shape
            end = max(end, offset + prod(shape) // block * block_bytes)
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self.broken(f"its alignment is {alignment!r}")
        start = -(-self.file.tell() // alignment) * alignment
        if shapes and start + end > self.size:
            raise ModelError(
                f"{self.path} is incomplete: {self.size:,} of {start + end:,} bytes.", _AGAIN
            )
        return shapes

    def broken(self, why: str) -> ModelError:
        return ModelError(f"{self.path} is not a valid GGUF file: {why}.", _AGAIN)

    def read(self, length: int) -> bytes:
        if length > self.size - self.file.tell():
            raise ModelError(f"{self.path} is incomplete: it ends within its header.", _AGAIN)
        return self.file.read(length)

    def scalar(self, code: str) -> int:
        # Floats and booleans too, which only metadata values are.
        (value,) = struct.unpack(f"<{code}", self.read(struct.calcsize(f"<{code}")))
        return value  # type: ignore[no-any-return]

    def count(self) -> int:
        count = self.scalar("Q")
        # Nothing counted takes less than a byte, so no loop can outrun the file.
        if count > self.size:
            raise self.broken(f"it counts {count} items")
        return count

    def string(self) -> str:
        return self.read(self.scalar("Q")).decode("utf-8", errors="replace")

    def code(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise self.broken(f"unknown value type {kind}")
        return _SCALARS[kind]

    def skip_array(self) -> int:
        kind, count = self.scalar("I"), self.scalar("Q")
        if kind == _STRING:
            for _ in range(count):
                self.skip(self.scalar("Q"))
        elif kind == _ARRAY:
            raise self.broken("arrays of arrays are not supported")
        else:
            self.skip(count * struct.calcsize(f"<{self.code(kind)}"))
        return count

    def skip(self, length: int) -> None:
        if length > self.size - self.file.tell():
            raise ModelError(f"{self.path} is incomplete: it ends within its header.", _AGAIN)
        self.file.seek(length, 1)
