"""Types and bytes against llama.cpp's own quantizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gguf_reference import quantize, tensors
from tiny_checkpoint import write_checkpoint

from bonito_local.convert.mixes import MIXES, ModelShape, find_mix, tensor_type
from bonito_local.convert.pipeline import convert
from bonito_local.errors import UsageError

QUANTIZED = [name for name in MIXES if name not in ("F32", "BF16", "Q2_K_S")]
SHAPES: dict[str, dict[str, Any]] = {
    # 16 layers reach every rule that looks at the first eighth or sixteenth.
    "deep": {"layers": 16, "width": 256, "ffn": 256, "heads": 4, "kv_heads": 1},
    # Rows of 384 and 96 do not divide into blocks of 256, rows of 80 not even of 32.
    "odd": {"layers": 2, "width": 384, "ffn": 96, "heads": 6, "kv_heads": 6, "tied": True},
    "odder": {"layers": 1, "width": 256, "ffn": 80, "tied": True},
}


@pytest.fixture(scope="module", params=list(SHAPES))
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and its BF16 GGUF, as `convert_hf_to_gguf.py --outtype bf16` writes it."""
    folder = tmp_path_factory.mktemp(request.param)
    write_checkpoint(folder / "base", **SHAPES[request.param])
    convert(folder / "base", folder / "bf16.gguf", quant="BF16")
    return folder


@pytest.mark.parametrize("quant", QUANTIZED)
def test_every_tensor_equals_llama_quantize(source: Path, quant: str, tmp_path: Path) -> None:
    convert(source / "base", tmp_path / "ours.gguf", quant=quant)
    theirs = quantize(source / "bf16.gguf", tmp_path / "theirs.gguf", MIXES[quant].file_type)
    ours = tensors(tmp_path / "ours.gguf")
    assert {n: kind for n, (kind, _) in ours.items()} == {n: k for n, (k, _) in theirs.items()}
    assert ours == theirs


def test_the_type_of_the_token_embedding_equals_llama_quantize(
    source: Path, tmp_path: Path
) -> None:
    convert(source / "base", tmp_path / "ours.gguf", quant="Q8_0", token_embedding_type="Q5_0")
    theirs = quantize(
        source / "bf16.gguf",
        tmp_path / "theirs.gguf",
        MIXES["Q8_0"].file_type,
        token_embedding=MIXES["Q5_0"].base,
    )
    assert theirs["token_embd.weight"][0] == "Q5_0"
    assert tensors(tmp_path / "ours.gguf") == theirs


def test_unknown_mix_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Unknown quantization 'q4_km'. Did you mean Q4_K_M\?"):
        find_mix("q4_km")
    assert find_mix("q4_k_m").name == "Q4_K_M"


def test_llama_70b_gets_more_bits_in_attn_v() -> None:
    llama_70b = ModelShape(layers=80, heads=64, kv_heads=8, tied=False, has_imatrix=False)
    name, shape = "blk.11.attn_v.weight", (1024, 8192)
    assert tensor_type(name, shape, MIXES["Q4_K_M"], llama_70b).name == "Q5_K"
    assert tensor_type("blk.11.attn_k.weight", shape, MIXES["Q4_K_M"], llama_70b).name == "Q4_K"
