"""Conversions end to end: what llama.cpp computes is what transformers and PEFT compute."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf_reference import logits, tensors, tokenize
from tiny_checkpoint import (
    LLAMA3_PATTERN,
    byte_level_tokenizer,
    write_adapter,
    write_checkpoint,
)

from bonito_local.convert import stream
from bonito_local.convert.pipeline import convert
from bonito_local.convert.plan import MergeInto
from bonito_local.convert.stream import Progress

TOKENS = [0, *range(40, 90), 1, *range(300, 310)]


def expected(model: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        found: np.ndarray = model.float()(torch.tensor([TOKENS])).logits[0].numpy()
    return found


def assert_same_model(path: Path, model: torch.nn.Module) -> None:
    want, got = expected(model), logits(path, TOKENS)
    assert np.abs(got - want).max() < 0.005 * np.abs(want).max()
    assert (got.argmax(-1) == want.argmax(-1)).mean() > 0.95


@pytest.mark.parametrize("family", ["mistral", "llama", "qwen2"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_plain_checkpoint(family: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", family=family, dtype=dtype)
    convert(tmp_path / "base", tmp_path / "out.gguf", quant="F32")
    assert_same_model(tmp_path / "out.gguf", model)


def test_biases_are_interleaved_with_their_rows(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", family="llama", dtype=torch.float32, biases=True)
    convert(tmp_path / "base", tmp_path / "out.gguf", quant="F32")
    assert_same_model(tmp_path / "out.gguf", model)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True, "r": 5},
        {"use_dora": True},
        {"target_modules": ["q_proj", "down_proj"], "lora_alpha": 3},
        {"rank_pattern": {"k_proj": 3}, "alpha_pattern": {r"layers\.1\..*\.up_proj": 40}},
        {"target_modules": ["v_proj"], "modules_to_save": ["lm_head", "norm"]},
        {"target_modules": ["v_proj", "lm_head", "embed_tokens"]},
        {"target_modules": ["k_proj"], "modules_to_save": ["embed_tokens"]},
    ],
    ids=lambda settings: "-".join(settings) or "all-linear",
)
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_adapter(settings: dict[str, object], tied: bool, tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", layers=2, tied=tied, dtype=torch.float32)
    peft = write_adapter(tmp_path / "adapter", model, **settings)
    convert(tmp_path / "base", tmp_path / "out.gguf", adapters=[tmp_path / "adapter"], quant="F32")
    assert_same_model(tmp_path / "out.gguf", peft)


def test_adapters_in_order(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", layers=2, dtype=torch.float32)
    first = write_adapter(tmp_path / "first", model)
    merged = first.merge_and_unload()
    second = write_adapter(tmp_path / "second", merged, r=4, use_dora=True)
    adapters = [tmp_path / "first", tmp_path / "second"]
    convert(tmp_path / "base", tmp_path / "out.gguf", adapters=adapters, quant="F32")
    assert_same_model(tmp_path / "out.gguf", second)


def test_resized_vocabulary_comes_with_the_adapter(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", layers=2, dtype=torch.float32)
    bigger = byte_level_tokenizer()
    bigger.add_tokens(["<|pipe|>", "<|task|>"])
    model.resize_token_embeddings(len(bigger), mean_resizing=False)
    peft = write_adapter(
        tmp_path / "adapter",
        model,
        target_modules=["q_proj"],
        modules_to_save=["embed_tokens", "lm_head"],
    )
    bigger.save_pretrained(tmp_path / "adapter")
    convert(tmp_path / "base", tmp_path / "out.gguf", adapters=[tmp_path / "adapter"], quant="F32")
    assert_same_model(tmp_path / "out.gguf", peft)
    text = "a task <|task|>and<|pipe|> more"
    assert tokenize(tmp_path / "out.gguf", [text]) == [bigger.encode(text)]


@pytest.mark.parametrize(
    "rope",
    [
        {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    ],
    ids=["llama3", "linear"],
)
def test_rope_scaling(rope: dict[str, object], tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer(pattern=LLAMA3_PATTERN)
    model = write_checkpoint(
        tmp_path / "base", family="llama", rope=rope, dtype=torch.float32, tokenizer=tokenizer
    )
    convert(tmp_path / "base", tmp_path / "out.gguf", quant="F32")
    assert_same_model(tmp_path / "out.gguf", model)


@pytest.mark.parametrize("merge_into", ["bf16", "nf4"])
def test_blocks_of_any_size_give_the_same_weights(
    merge_into: MergeInto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every tensor of the tiny models fits in one block; here it takes many, each in its place."""
    model = write_checkpoint(tmp_path / "base", layers=2, width=256, ffn=320)
    write_adapter(tmp_path / "adapter", model, use_dora=True)
    made = []
    for name, elements in (("one", 1 << 20), ("several", 1 << 13), ("least", 1)):
        monkeypatch.setattr(stream, "BLOCK_ELEMENTS", elements)
        out = tmp_path / f"{name}.gguf"
        adapters = [tmp_path / "adapter"]
        convert(tmp_path / "base", out, adapters=adapters, quant="F32", merge_into=merge_into)
        made.append({tensor.name: np.array(tensor.data) for tensor in GGUFReader(out).tensors})
    whole, *others = made
    for other in others:
        assert other.keys() == whole.keys()
        for name, data in whole.items():
            np.testing.assert_allclose(other[name], data, rtol=1e-5, atol=1e-7, err_msg=name)


def test_shards_give_the_same_file(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "one")
    write_checkpoint(tmp_path / "many", max_shard_size="1MB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 2
    convert(tmp_path / "one", tmp_path / "one.gguf")
    convert(tmp_path / "many", tmp_path / "many.gguf")
    assert tensors(tmp_path / "one.gguf") == tensors(tmp_path / "many.gguf")


def test_manifest_records_sources_and_output(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", layers=1)
    write_adapter(tmp_path / "adapter", model, target_modules=["q_proj"])
    seen: list[Progress] = []
    out = tmp_path / "out.gguf"
    manifest = convert(
        tmp_path / "base", out, adapters=[tmp_path / "adapter"], quant="Q8_0", progress=seen.append
    )
    written = json.loads((tmp_path / "out.gguf.json").read_text())
    assert written["output"] == {
        "name": "out.gguf",
        "bytes": out.stat().st_size,
        "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
    }
    weights = tmp_path / "base" / "model.safetensors"
    assert written["source_files"][0]["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    merged = {tensor["name"]: tensor["merged"] for tensor in written["tensors"]}
    assert merged["blk.0.attn_q.weight"] == 1
    assert sum(merged.values()) == 1
    assert manifest.quant == "Q8_0"
    assert [p.tensors_done for p in seen] == sorted(p.tensors_done for p in seen)
    assert seen[-1].bytes_done == seen[-1].bytes
    assert seen[-1].tensors_done == len(merged)


def test_metadata_is_written_verbatim(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", layers=1)
    convert(
        tmp_path / "base",
        tmp_path / "out.gguf",
        quant="Q8_0",
        metadata={"bonito.passage_tokens": 256, "bonito.task_types": "exqa,ynqa"},
    )
    fields = GGUFReader(tmp_path / "out.gguf").fields
    assert fields["bonito.passage_tokens"].contents() == 256
    assert fields["bonito.task_types"].contents() == "exqa,ynqa"
    assert fields["llama.context_length"].contents() == 512
    assert fields["tokenizer.ggml.eos_token_id"].contents() == 1
    assert fields["general.name"].contents() == "base"
