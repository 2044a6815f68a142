"""NF4 against bitsandbytes, which Q-LoRA trains with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from bitsandbytes.functional import create_dynamic_map, dequantize_4bit, quantize_4bit
from gguf import GGUFReader
from safetensors.torch import load_file
from tiny_checkpoint import write_adapter, write_checkpoint

from bonito_local.convert import nf4
from bonito_local.convert.pipeline import convert


def theirs(weights: torch.Tensor) -> torch.Tensor:
    packed, state = quantize_4bit(
        weights.bfloat16(), blocksize=64, compress_statistics=True, quant_type="nf4"
    )
    weights_again: torch.Tensor = dequantize_4bit(packed, state)
    return weights_again


def ours(weights: torch.Tensor) -> np.ndarray:
    out = weights.float().numpy().copy()
    nf4.round_to_bf16(out)
    maxima = nf4.block_maxima(out)
    nf4.round_trip(out, maxima, nf4.round_scales(maxima))
    return out


def test_code_of_the_scales_is_bitsandbytes() -> None:
    assert nf4._dynamic_map().tolist() == create_dynamic_map().tolist()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("shape", [(128, 256), (320, 64), (96, 1024)])
def test_round_trip_equals_bitsandbytes(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(shape[0])
    weights = (torch.randn(shape, generator=generator) * 0.03).to(dtype)
    weights[0, :8] = 0
    want, got = theirs(weights).float().numpy(), ours(weights)
    # bitsandbytes' CPU code rounds a scale that lies next to a midpoint either way, and sums
    # the scales' mean in another order: one scale in a thousand is its neighbour.
    np.testing.assert_allclose(got, want, rtol=0.02)
    assert (got == want).mean() > 0.99


def test_a_block_of_zeros_stays_zero() -> None:
    assert not ours(torch.zeros(2, 128)).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_merge_goes_into_the_rounded_base(dtype: torch.dtype, tmp_path: Path) -> None:
    """Linear layers are rounded, adapted or not; embeddings, norms and the head are not."""
    model = write_checkpoint(tmp_path / "base", layers=2, width=256, ffn=320, dtype=dtype)
    write_adapter(tmp_path / "adapter", model, target_modules=["v_proj"])
    out = tmp_path / "out.gguf"
    convert(tmp_path / "base", out, adapters=[tmp_path / "adapter"], quant="F32", merge_into="nf4")
    base = load_file(tmp_path / "base" / "model.safetensors")
    adapter = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    made = {t.name: t.data for t in GGUFReader(out).tensors}
    layer = "model.layers.1."
    key = f"base_model.model.{layer}self_attn.v_proj.lora"
    delta = 2.0 * adapter[f"{key}_B.weight"].float() @ adapter[f"{key}_A.weight"].float()
    want = theirs(base[f"{layer}self_attn.v_proj.weight"]).float() + delta
    np.testing.assert_allclose(made["blk.1.attn_v.weight"], want.numpy(), atol=5e-4)
    down = theirs(base[f"{layer}mlp.down_proj.weight"]).float().numpy()
    np.testing.assert_allclose(made["blk.1.ffn_down.weight"], down, rtol=0.02)
    head = base["lm_head.weight"].float().numpy()
    np.testing.assert_array_equal(made["output.weight"], head)
