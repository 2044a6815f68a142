"""The header reader: equal to the library's on good files, a clean error on all others."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bonito_local.convert.rows import read_array
from bonito_local.convert.safetensors import read_header
from bonito_local.errors import ConvertError


def write(path: Path, header: object, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "a": torch.randn(3, 8, generator=generator).to(torch.bfloat16),
        "b.weight": torch.randn(5, generator=generator),
        "c": torch.randn(2, 2, 2, generator=generator).half(),
        "empty": torch.zeros(0, 4),
    }


def test_reads_what_the_library_wrote(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = read_header(tmp_path / "x.safetensors")
    assert {n: t.shape for n, t in found.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read_array(found[name]), tensor.float().numpy())


GOOD = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("header", "data", "why"),
    [
        ({"x": GOOD}, bytes(7), "is cut off"),
        ({"x": GOOD}, bytes(9), "bytes after its last tensor"),
        ({"x": GOOD | {"shape": [3]}}, bytes(8), "does not match its bytes"),
        ({"x": GOOD | {"shape": [2**62, 2**62]}}, bytes(8), "does not match its bytes"),
        ({"x": GOOD | {"shape": [-2]}}, bytes(8), "is malformed"),
        ({"x": GOOD | {"shape": [True, 2]}}, bytes(8), "is malformed"),
        ({"x": GOOD | {"data_offsets": [0, 2**64]}}, bytes(8), "is malformed"),
        ({"x": GOOD | {"data_offsets": [4, 12]}}, bytes(12), "leaves a hole"),
        ({"x": GOOD, "y": GOOD}, bytes(8), "overlaps another"),
        ({"x": 3}, b"", "is not an object"),
        ([1], b"", "is not an object"),
        (b"{not json", b"", "is not valid JSON"),
        (b"\xff\xfe", b"", "is not valid JSON"),
        (b"[" * 100_000, b"", "is not valid JSON"),
        (b'{"x": 1, "x": 2}', b"", "is not valid JSON"),
    ],
)
def test_lying_headers(header: object, data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=why):
        read_header(write(tmp_path / "x.safetensors", header, data))


def test_header_longer_than_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for length in (11, 2**40, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{}" + bytes(8))
        with pytest.raises(ConvertError, match="runs past its end"):
            read_header(path)
    path.write_bytes(b"short")
    with pytest.raises(ConvertError, match="runs past its end"):
        read_header(path)


def test_other_types_are_named(tmp_path: Path) -> None:
    entry = {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}
    with pytest.raises(ConvertError, match=r"'x' in .* has type F8_E4M3"):
        read_header(write(tmp_path / "x.safetensors", {"x": entry}, bytes(4)))


def test_twenty_thousand_mutations(tensors: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """Whatever is changed: a clean error, or tensors that lie inside the file."""
    path = tmp_path / "x.safetensors"
    save_file(tensors, path)
    good = path.read_bytes()
    end = 8 + int.from_bytes(good[:8], "little")
    source = random.Random(3)
    words = [b"-1", b"99999999999999999999", b"[]", b"{}", b'"', b"null", b"1e400", b",", b"\x00"]
    accepted = 0
    for _ in range(20_000):
        mutant = bytearray(good)
        for _ in range(source.randint(1, 4)):
            place = source.randrange(end)
            match source.randrange(4):
                case 0:
                    mutant[place] = source.randrange(256)
                case 1:
                    del mutant[place : place + source.randint(1, 20)]
                case 2:
                    mutant[place:place] = source.choice(words)
                case 3:
                    # Digits for digits: the header stays JSON and only its numbers lie.
                    if chr(mutant[place]).isdigit():
                        mutant[place] = ord(source.choice("0123456789"))
        path.write_bytes(mutant)
        try:
            found = read_header(path)
        except ConvertError:
            continue
        accepted += 1
        assert all(t.offset > 0 and t.offset + t.nbytes <= len(mutant) for t in found.values())
    assert 0 < accepted < 10_000
