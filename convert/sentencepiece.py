"""The part of a SentencePiece `tokenizer.model` that GGUF needs, read from its protobuf.

Fields by number, from google/sentencepiece `sentencepiece_model.proto`: pieces 1 {text 1,
score 2, type 3}, trainer 2 {model_type 3}, normalizer 3 {add_dummy_prefix 3,
remove_extra_whitespaces 4}.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bonito_local.bounds import read_small
from bonito_local.errors import ConvertError

MAX_BYTES = 64 * 1024 * 1024
_BPE = 2
_NORMAL, _LAST_TYPE = 1, 6


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece; `type` counts as GGUF's token types do."""

    text: str
    score: float
    type: int


@dataclass(frozen=True, slots=True)
class Model:
    """The pieces by id, and whether a space is put before the text."""

    pieces: tuple[Piece, ...]
    add_dummy_prefix: bool


def read_model(path: Path) -> Model:
    """Read `tokenizer.model`.

    Raises:
        ConvertError: the file is broken, not BPE, or normalizes text in a way llama.cpp does not.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConvertError(f"{path} is too large for a SentencePiece model.")
        data = read_small(path, MAX_BYTES)
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    pieces: list[Piece] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    try:
        for number, value in _fields(data):
            if number == 1:
                pieces.append(_piece(_message(value)))
            elif number == 2:
                trainer = dict(_fields(_message(value)))
            elif number == 3:
                normalizer = dict(_fields(_message(value)))
    except (ValueError, struct.error) as error:
        raise ConvertError(
            f"{path} is not a sound SentencePiece model.", "Download it again."
        ) from error
    if trainer.get(3, 1) != _BPE:
        raise ConvertError(f"{path} is not a BPE model.", "Unigram models are not supported.")
    if normalizer.get(4, 1):
        raise ConvertError(f"{path} removes extra spaces, which llama.cpp does not.")
    return Model(tuple(pieces), bool(normalizer.get(3, 1)))


def _piece(data: bytes) -> Piece:
    fields = dict(_fields(data))
    score = struct.unpack("<f", _message(fields.get(2, bytes(4))))[0]
    kind = fields.get(3, _NORMAL)
    if not isinstance(kind, int) or not _NORMAL <= kind <= _LAST_TYPE:
        raise ValueError("unknown type of piece")
    return Piece(_message(fields.get(1, b"")).decode("utf-8"), score, kind)


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value): an int for a varint, bytes for all else."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        wire = key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if wire == 2:
            length, position = _varint(data, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("unknown wire type")
        if length > len(data) - position:
            raise ValueError("a field runs past the end")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number runs past the end")
