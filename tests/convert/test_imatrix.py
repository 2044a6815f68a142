"""Importance matrices: read as llama.cpp reads them, used as llama-quantize uses them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from gguf_reference import quantize, tensors
from tiny_checkpoint import write_checkpoint

from bonito_local.convert.imatrix import read_imatrix
from bonito_local.convert.mixes import MIXES
from bonito_local.convert.pipeline import convert
from bonito_local.errors import BonitoError, ConvertError

WIDTHS = {"ffn_down": 512}
NAMES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_checkpoint(folder / "base", layers=8)
    convert(folder / "base", folder / "bf16.gguf", quant="BF16")
    write_imatrix(folder / "imatrix.gguf", importance())
    return folder


def importance() -> dict[str, np.ndarray]:
    source = np.random.default_rng(2)
    return {
        f"blk.{layer}.{name}.weight": source.gamma(0.5, size=WIDTHS.get(name, 256)).astype("f4")
        for layer in range(8)
        for name in NAMES
    }


def write_imatrix(path: Path, values: dict[str, np.ndarray], calls: int = 3) -> None:
    writer = GGUFWriter(path, "")
    writer.kv_data[0].clear()
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["made up"])
    for name, mean in values.items():
        writer.add_tensor(f"{name}.in_sum2", (mean * calls).reshape(1, -1))
        writer.add_tensor(f"{name}.counts", np.full((1, 1), calls, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("quant", ["Q2_K_S", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_0", "IQ4_XS", "Q6_K"])
def test_bytes_equal_llama_quantize(quant: str, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "ours.gguf"
    convert(made / "base", out, quant=quant, imatrix=made / "imatrix.gguf")
    values = read_imatrix(made / "imatrix.gguf")
    theirs = quantize(made / "bf16.gguf", tmp_path / "theirs.gguf", MIXES[quant].file_type, values)
    assert tensors(out) == theirs
    convert(made / "base", tmp_path / "plain.gguf", quant="Q4_K_M")
    assert quant != "Q4_K_M" or tensors(tmp_path / "plain.gguf") != theirs


def test_gguf_and_legacy_forms_agree(made: Path, tmp_path: Path) -> None:
    values = importance()
    data = struct.pack("<i", len(values))
    for name, mean in values.items():
        data += struct.pack("<i", len(name)) + name.encode()
        data += struct.pack("<ii", 3, mean.size) + (mean * 3).astype("<f4").tobytes()
    (tmp_path / "old.dat").write_bytes(data)
    old, new = read_imatrix(tmp_path / "old.dat"), read_imatrix(made / "imatrix.gguf")
    assert old.keys() == new.keys() == values.keys()
    for name, mean in values.items():
        np.testing.assert_allclose(new[name], mean, rtol=1e-6)
        np.testing.assert_array_equal(old[name], new[name])
    for cut in (0, 3, 20, 60, len(data) - 5):
        (tmp_path / "cut.dat").write_bytes(data[:cut])
        with pytest.raises(ConvertError, match="is not an importance matrix"):
            read_imatrix(tmp_path / "cut.dat")


def test_a_very_low_type_asks_for_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"Q2_K_S needs an importance matrix for blk"):
        convert(made / "base", tmp_path / "out.gguf", quant="Q2_K_S")


def test_for_another_model(made: Path, tmp_path: Path) -> None:
    write_imatrix(tmp_path / "x.gguf", {"blk.0.attn_q.weight": np.ones(128, np.float32)})
    with pytest.raises(ConvertError, match=r"has 128 columns for blk\.0\.attn_q"):
        convert(made / "base", tmp_path / "out.gguf", imatrix=tmp_path / "x.gguf")
    write_imatrix(tmp_path / "y.gguf", {"blk.0.other.weight": np.ones(256, np.float32)})
    with pytest.raises(ConvertError, match="names no tensor of this model"):
        convert(made / "base", tmp_path / "out.gguf", imatrix=tmp_path / "y.gguf")


def test_broken_values(made: Path, tmp_path: Path, tiny_gguf: Path) -> None:
    write_imatrix(tmp_path / "nan.gguf", {"blk.0.attn_q.weight": np.full(256, np.nan, np.float32)})
    with pytest.raises(ConvertError, match="NaN or infinite values"):
        read_imatrix(tmp_path / "nan.gguf")
    with pytest.raises(ConvertError, match="is not an importance matrix"):
        read_imatrix(tiny_gguf)
    good = (made / "imatrix.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(good[: len(good) // 2])
    with pytest.raises(BonitoError):
        read_imatrix(tmp_path / "cut.gguf")
