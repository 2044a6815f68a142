"""A GGUF file as the source of a checkpoint: its keys, its token lists, its tensors' places.

Weights are read from the file, a block of rows at a time: the pages of a mapped file would count
as memory in use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType

from bonito_local.backends.llamacpp.gguf_file import Value, Values, read_contents
from bonito_local.convert.ggml import U8Array, row_bytes
from bonito_local.errors import ConvertError


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a GGUF tensor lies. `shape` is (rows, columns) or (columns,), as checkpoints count."""

    name: str
    kind: GGMLQuantizationType
    shape: tuple[int, ...]
    offset: int

    @property
    def rows(self) -> int:
        """Number of rows; a vector is one row."""
        return math.prod(self.shape[:-1])

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return row_bytes(self.kind, self.shape[-1])


@dataclass(frozen=True, slots=True)
class GgufSource:
    """An opened GGUF file: scalars and strings by key, arrays by key, tensors by name."""

    path: Path
    metadata: Mapping[str, Value]
    lists: Mapping[str, Values]
    tensors: Mapping[str, StoredTensor]

    def blocks(self, tensor: StoredTensor, rows: int) -> Iterator[U8Array]:
        """Yield a tensor's rows as stored ([rows, bytes]), at most `rows` at a time.

        Raises:
            ConvertError: the file cannot be read, or has become shorter.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(tensor.offset)
                for first in range(0, tensor.rows, rows):
                    count = min(rows, tensor.rows - first)
                    block = np.empty((count, tensor.row_bytes), np.uint8)
                    if file.readinto(block.data) != block.nbytes:
                        raise ConvertError(f"{self.path} became shorter while it was read.")
                    yield block
        except OSError as error:
            raise ConvertError(f"{self.path} cannot be read: {error.strerror}.") from error


def open_gguf(path: Path) -> GgufSource:
    """Read a GGUF's keys, lists and tensor table; no weight is read.

    Raises:
        ModelError: the file is missing, cut off or not GGUF.
    """
    contents = read_contents(path)
    tensors = {
        name: StoredTensor(
            name, GGMLQuantizationType(kind), contents.header.tensors[name][::-1], offset
        )
        for name, (kind, offset) in contents.tensors.items()
    }
    return GgufSource(path, contents.header.metadata, contents.lists, tensors)
