"""Check a GGUF file's layout before an engine maps it.

llama.cpp trusts a file more than a file from elsewhere deserves: this reads the header
with every length bounded by the file's size, and the extent of every tensor.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import stat
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeVar

from bonito_local.errors import ModelError, reason

Value = str | int | float | bool
Values = list[str] | list[int] | list[float] | list[bool]
_T = TypeVar("_T")

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
_TOKENS = "tokenizer.ggml.tokens"  # llama.cpp aborts the process if two are the same
# `general.file_type`, by llama.cpp's `llama_ftype`: those that are made here, and the usual others.
_FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1"}
_FILE_TYPES |= {10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M"}
_FILE_TYPES |= {16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16"}
_MAX_DIMS = 4
_LONGEST_TEXT = 64 << 20  # of names and of metadata; templates have some thousands
_MOST_TENSORS, _MOST_PAIRS = 1_000_000, 1_000_000
_SHOWN = 60  # bytes of a name in an error
_LENGTH = struct.Struct("<Q")
_AGAIN = "Download or convert the model again."


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """Scalar and string metadata, the length of each array, and each tensor's shape.

    Shapes are as stored, the fastest-varying dimension first.
    """

    metadata: dict[str, Value]
    arrays: dict[str, int]
    tensors: dict[str, tuple[int, ...]]


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF file; no tensor data is read.

    Raises:
        ModelError: the file is missing, unreadable, not GGUF, of a version or byte order
            that llama.cpp does not read, or shorter than its header says.
    """
    return _read(path, lambda reader: reader.header())


@dataclass(frozen=True, slots=True)
class GgufContents:
    """A header with its arrays' values, and each tensor's type (ggml's number) and place."""

    header: GgufHeader
    lists: dict[str, Values]
    tensors: dict[str, tuple[int, int]]


def read_contents(path: Path) -> GgufContents:
    """Read and check all of a GGUF file but its tensors' data.

    Raises:
        ModelError: as `read_header`, or a listed string is not UTF-8.
    """

    def read(reader: _Reader) -> GgufContents:
        header = reader.header()
        return GgufContents(header, reader.lists, reader.places)

    return _read(path, read, keep_lists=True)


def read_metadata(path: Path) -> dict[str, Value]:
    """Read the scalars and strings of a GGUF file's header, and nothing of its tensors.

    Raises:
        ModelError: as `read_header`.
    """
    return _read(path, lambda reader: reader.pairs()[0])


def quantization(metadata: Mapping[str, Value]) -> str:
    """How the weights are stored, as the file says of itself (Q4_K_M, ...); or nothing."""
    kind = metadata.get("general.file_type")
    return _FILE_TYPES.get(kind, "") if isinstance(kind, int) else ""


def _read(path: Path, what: Callable[[_Reader], _T], keep_lists: bool = False) -> _T:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ModelError(f"{path} is no file.", "Name a GGUF file.")
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ModelError(
                    f"{path} is not a GGUF file.",
                    "Make one of a checkpoint with `bonito-local convert`.",
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return what(_Reader(data, path, keep_lists))
    except (OSError, ValueError, OverflowError) as error:
        why = reason(error) if isinstance(error, OSError | ValueError) else "it is too large"
        raise ModelError(
            f"The model file {path} cannot be read: {why}.", "Check the path."
        ) from error


class _Reader:
    def __init__(self, data: mmap.mmap, path: Path, keep_lists: bool) -> None:
        self.data = data
        self.path = path
        self.keep_lists = keep_lists
        self.lists: dict[str, Values] = {}
        self.places: dict[str, tuple[int, int]] = {}  # a tensor's type, and its data's offset
        self.size = len(data)
        self.place = len(_MAGIC)

    def header(self) -> GgufHeader:
        metadata, arrays, n_tensors = self.pairs()
        tensors, end = self.tensors(n_tensors)
        if tensors:
            start = self.check_extent(end, metadata.get("general.alignment", 32))
            self.places = {n: (kind, start + place) for n, (kind, place) in self.places.items()}
        return GgufHeader(metadata, arrays, tensors)

    def pairs(self) -> tuple[dict[str, Value], dict[str, int], int]:
        """Scalars and strings, the length of each array, and how many tensors there are."""
        version = self.number("I")
        if version not in (2, 3):
            raise ModelError(f"{self.path} has GGUF version {version}, not 2 or 3.", _AGAIN)
        n_tensors, n_pairs = self.number("Q"), self.number("Q")
        # Nothing counted takes less than a byte, so no loop can outrun the file.
        if max(n_tensors, n_pairs) > self.size:
            raise self.broken(f"it counts {max(n_tensors, n_pairs)} items")
        if n_tensors > _MOST_TENSORS or n_pairs > _MOST_PAIRS:
            raise self.broken(f"it counts {max(n_tensors, n_pairs):,} items")
        metadata: dict[str, Value] = {}
        arrays: dict[str, int] = {}
        for _ in range(n_pairs):
            key = self.text()
            if key in metadata or key in arrays:
                raise self.broken(f"it says {key[:_SHOWN]!r} twice")
            kind = self.number("I")
            if kind == _ARRAY:
                arrays[key] = self.array(key)
            else:
                metadata[key] = self.text() if kind == _STRING else self.scalar(self.code(kind))
        return metadata, arrays, n_tensors

    def tensors(self, count: int) -> tuple[dict[str, tuple[int, ...]], int]:
        """Shapes by name, and where the last tensor's data ends."""
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        sizes = {int(kind): GGML_QUANT_SIZES[kind] for kind in GGMLQuantizationType}
        shapes: dict[str, tuple[int, ...]] = {}
        end = 0
        for _ in range(count):
            name, n_dims = self.text(), self.number("I")
            if n_dims > _MAX_DIMS or name in shapes:
                raise self.broken(f"tensor {name[:_SHOWN]!r} is malformed")
            shape = tuple(self.number("Q") for _ in range(n_dims))
            kind, offset = self.number("I"), self.number("Q")
            if kind not in sizes:
                raise ModelError(
                    f"{self.path} holds a tensor of unknown type {kind}.",
                    "It may be newer than the installed llama.cpp: update llama-cpp-python.",
                )
            block, block_bytes = sizes[kind]
            if 0 in shape or (shape[:1] and shape[0] % block):
                raise self.broken(f"tensor {name[:_SHOWN]!r} has shape {shape}")
            shapes[name], self.places[name] = shape, (kind, offset)
            end = max(end, offset + prod(shape) // block * block_bytes)
        return shapes, end

    def check_extent(self, end: int, alignment: Value) -> int:
        """Check that the file holds all data, and return where they start."""
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self.broken(f"its alignment is {alignment!r}")
        start = -(-self.place // alignment) * alignment
        total = start + end
        if total > self.size:
            raise ModelError(
                f"{self.path} is incomplete: {self.size:,} of {total:,} bytes.", _AGAIN
            )
        return start

    def array(self, key: str) -> int:
        """Pass an array, keep its values where they are asked for, and return its length."""
        kind, count = self.number("I"), self.number("Q")
        start = self.place
        self.skip_array(key, kind, count)
        if self.keep_lists:
            end, self.place = self.place, start
            self.lists[key] = self.values(kind, count)
            self.place = end
        return count

    def values(self, kind: int, count: int) -> Values:
        if kind != _STRING:
            return list(struct.unpack_from(f"<{count}{self.code(kind)}", self.data, self.place))
        try:
            return [self.raw_text().decode() for _ in range(count)]
        except UnicodeDecodeError as error:
            raise self.broken("a string in it is not UTF-8") from error

    def skip_array(self, key: str, kind: int, count: int) -> None:
        if kind == _ARRAY:
            raise self.broken("arrays of arrays are not supported")
        if kind != _STRING:
            self.advance(count * struct.calcsize(f"<{self.code(kind)}"))
            return
        # Hundreds of thousands of strings: the only loop here whose time is felt.
        data, place, last = self.data, self.place, self.size - _LENGTH.size
        seen: set[bytes] | None = set() if key == _TOKENS else None
        for _ in range(count):
            if place > last:
                raise self.cut_short()
            start = place + _LENGTH.size
            place = start + _LENGTH.unpack_from(data, place)[0]
            if seen is not None and place <= self.size:
                token = data[start:place]
                if token and token in seen:
                    raise self.broken(f"it lists the token {token[:_SHOWN]!r} twice")
                seen.add(token)
        self.advance(place - self.place)

    def text(self) -> str:
        return self.raw_text().decode("utf-8", errors="replace")

    def raw_text(self) -> bytes:
        length = self.number("Q")
        if length > _LONGEST_TEXT:
            raise self.broken(f"it holds a text of {length:,} bytes")
        start = self.place
        self.advance(length)
        return self.data[start : self.place]

    def number(self, code: str) -> int:
        return int(self.scalar(code))

    def scalar(self, code: str) -> int | float | bool:
        start = self.place
        self.advance(struct.calcsize(f"<{code}"))
        value: int | float | bool = struct.unpack_from(f"<{code}", self.data, start)[0]
        return value

    def advance(self, length: int) -> None:
        if length > self.size - self.place:
            raise self.cut_short()
        self.place += length

    def code(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise self.broken(f"unknown value type {kind}")
        return _SCALARS[kind]

    def cut_short(self) -> ModelError:
        return ModelError(f"{self.path} is incomplete: it ends within its header.", _AGAIN)

    def broken(self, why: str) -> ModelError:
        return ModelError(f"{self.path} is not a valid GGUF file: {why}.", _AGAIN)
