"""A GGUF turned back into a checkpoint is the model that it was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFWriter, dequantize
from gguf_reference import logits
from tiny_checkpoint import (
    LLAMA3_PATTERN,
    byte_level_tokenizer,
    sentencepiece_tokenizer,
    write_checkpoint,
)
from tiny_model import write_tiny_gguf
from transformers import AutoModelForCausalLM

from bonito_local.convert import dequantize as module
from bonito_local.convert.dequantize import Dtype, to_checkpoint
from bonito_local.convert.gguf_source import GgufSource, open_gguf
from bonito_local.convert.pipeline import convert
from bonito_local.convert.restored_config import restore_config
from bonito_local.errors import BonitoError, ConvertError, ModelError

TOKENS = [0, *range(40, 90), 1, *range(300, 310)]
LLAMA3_ROPE: dict[str, object] = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


def made_again(folder: Path, quant: str) -> tuple[bytes, bytes]:
    """Bytes of `folder/base` as a GGUF, and of that GGUF taken to a checkpoint and back."""
    (folder / "again").mkdir()
    convert(folder / "base", folder / "first.gguf", quant=quant)
    to_checkpoint(folder / "first.gguf", folder / "again" / "base")
    convert(folder / "again" / "base", folder / "second.gguf", quant=quant)
    return (folder / "first.gguf").read_bytes(), (folder / "second.gguf").read_bytes()


@pytest.mark.parametrize("family", ["mistral", "llama", "qwen2"])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize(
    ("dtype", "quant"), [(torch.bfloat16, "BF16"), (torch.float16, "F16"), (torch.float32, "F16")]
)
def test_half_precision_comes_back_to_the_byte(
    family: str, tied: bool, dtype: torch.dtype, quant: str, tmp_path: Path
) -> None:
    write_checkpoint(tmp_path / "base", family=family, tied=tied, dtype=dtype, layers=2)
    first, second = made_again(tmp_path, quant)
    assert first == second


@pytest.mark.parametrize(
    "rope",
    [
        LLAMA3_ROPE,
        {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
        {
            "rope_type": "yarn",
            "rope_theta": 1e6,
            "factor": 2.5,
            "original_max_position_embeddings": 64,
        },
    ],
    ids=["llama3", "linear", "yarn"],
)
def test_rotary_scaling_comes_back(rope: dict[str, object], tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", family="llama", rope=rope, layers=1)
    first, second = made_again(tmp_path, "BF16")
    assert first == second
    config = json.loads((tmp_path / "again" / "base" / "config.json").read_text())
    assert config["rope_theta"] == rope["rope_theta"]
    assert config["rope_scaling"] == {k: v for k, v in rope.items() if k != "rope_theta"}


def test_biases_come_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", family="llama", biases=True, layers=1)
    first, second = made_again(tmp_path, "BF16")
    assert first == second


def test_more_embeddings_than_tokens_come_back(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    write_checkpoint(tmp_path / "base", vocab=len(tokenizer) + 40, tokenizer=tokenizer, layers=1)
    first, second = made_again(tmp_path, "BF16")
    assert first == second
    written = json.loads((tmp_path / "again" / "base" / "tokenizer.json").read_text())
    assert len(written["model"]["vocab"]) == len(tokenizer)


def test_sentencepiece_comes_back_with_scores_in_the_same_order(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", tokenizer=sentencepiece_tokenizer(), layers=1)
    made_again(tmp_path, "BF16")
    first, second = (open_gguf(tmp_path / f"{name}.gguf") for name in ("first", "second"))
    assert first.metadata == second.metadata
    for key in ("tokens", "token_type"):
        assert first.lists[f"tokenizer.ggml.{key}"] == second.lists[f"tokenizer.ggml.{key}"]
    assert {name: (t.kind, t.shape) for name, t in first.tensors.items()} == {
        name: (t.kind, t.shape) for name, t in second.tensors.items()
    }


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_transformers_computes_what_llama_cpp_computes(family: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", family=family, dtype=torch.float32)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="F16")
    to_checkpoint(tmp_path / "a.gguf", tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype="auto")
    assert model.dtype == torch.float16
    with torch.no_grad():
        got = model.float()(torch.tensor([TOKENS])).logits[0].numpy()
    want = logits(tmp_path / "a.gguf", TOKENS)
    assert np.abs(got - want).max() < 0.005 * np.abs(want).max()


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q5_0", "Q6_K", "Q8_0", "IQ4_XS", "F32"])
@pytest.mark.parametrize("dtype", ["auto", "bfloat16", "float16"])
def test_quantized_weights_are_rounded_once(quant: str, dtype: Dtype, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", family="llama", dtype=torch.float32, layers=1)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant=quant)
    to_checkpoint(tmp_path / "a.gguf", tmp_path / "out", dtype=dtype)
    kind = torch.float16 if dtype == "float16" else torch.bfloat16
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["dtype"] == str(kind).removeprefix("torch.")
    # Float32 keeps every checkpoint's weights, and puts the rotary rows back in pairs.
    convert(tmp_path / "out", tmp_path / "b.gguf", quant="F32")
    again = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "b.gguf").tensors}
    stored = GGUFReader(tmp_path / "a.gguf").tensors
    assert {tensor.name for tensor in stored} == again.keys()
    for tensor in stored:
        want = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        if want.dim() > 1:
            want = want.to(kind).float()
        np.testing.assert_array_equal(again[tensor.name], want.numpy(), tensor.name)


def test_blocks_of_any_size_give_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path / "base", family="llama", biases=True, layers=1)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="Q4_K_M")
    written = []
    for elements in (1 << 20, 1 << 13, 1):
        monkeypatch.setattr(module, "BLOCK_ELEMENTS", elements)
        to_checkpoint(tmp_path / "a.gguf", tmp_path / str(elements))
        written.append((tmp_path / str(elements) / "model.safetensors").read_bytes())
    assert written[0] == written[1] == written[2]


def test_a_file_of_another_converter(tmp_path: Path) -> None:
    """Written by gguf-py, without keys for the head's width and with F32 weights."""
    write_tiny_gguf(tmp_path / "tiny.gguf")
    to_checkpoint(tmp_path / "tiny.gguf", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["head_dim"], config["rms_norm_eps"], config["bos_token_id"]) == (16, 1e-5, 0)
    assert config["architectures"] == ["LlamaForCausalLM"]
    ends = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert ends == {"bos_token_id": 0, "eos_token_id": 1}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    tokens = [0, *range(40, 90)]
    with torch.no_grad():
        got = model(torch.tensor([tokens])).logits[0].numpy()
    want = logits(tmp_path / "tiny.gguf", tokens)
    assert (got.argmax(-1) == want.argmax(-1)).mean() > 0.9


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def test_an_existing_folder_is_kept(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ConvertError, match="already exists"):
        to_checkpoint(tiny, tmp_path / "out")
    assert list(tmp_path.rglob("*")) == [tmp_path / "out"]


def test_a_truncated_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    data = tiny.read_bytes()
    for size in (0, 3, 100, 5000, len(data) - 1):
        (tmp_path / "cut.gguf").write_bytes(data[:size])
        with pytest.raises(ModelError):
            to_checkpoint(tmp_path / "cut.gguf", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.gguf"]


def test_a_file_that_shrinks_leaves_nothing(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(tiny.read_bytes())
    whole = open_gguf(path)
    monkeypatch.setattr(module, "open_gguf", lambda _: whole)
    path.write_bytes(tiny.read_bytes()[:-50_000])
    with pytest.raises(ConvertError, match="became shorter while it was read"):
        to_checkpoint(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tiny.gguf"]


@pytest.mark.parametrize("count", [-1, 1])
def test_as_many_tokens_as_embeddings(count: int, tiny: Path) -> None:
    source = open_gguf(tiny)
    tokens = [f"token{i}" for i in range(source.tensors["token_embd.weight"].shape[0] + count)]
    with pytest.raises(ConvertError, match=rf"lists {len(tokens)} tokens, but has"):
        restore_config(replace(source, lists={"tokenizer.ggml.tokens": tokens}))


def with_keys(source: GgufSource, **keys: str | int | float | None) -> GgufSource:
    """The same file with other keys; "__" stands for a dot, None removes a key."""
    changes = {key.replace("__", "."): value for key, value in keys.items()}
    metadata = {k: v for k, v in source.metadata.items() if k not in changes}
    return replace(source, metadata=metadata | {k: v for k, v in changes.items() if v is not None})


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"general__architecture": "gemma2"}, "architecture 'gemma2'"),
        ({"llama__expert_count": 8}, "sets llama.expert_count"),
        ({"llama__attention__scale": 0.5}, "sets llama.attention.scale"),
        ({"llama__rope__dimension_count": 8}, "heads of 16; its llama.rope.dimension_count is 8"),
        ({"llama__embedding_length": None}, "has None for llama.embedding_length"),
        ({"llama__attention__head_count": 0}, "has 0 for llama.attention.head_count"),
        ({"llama__rope__scaling__type": "longrope"}, "rotary scaling 'longrope'"),
        ({"llama__attention__layer_norm_rms_epsilon": None}, "has None for llama.attention.layer"),
    ],
)
def test_what_a_checkpoint_cannot_say_is_refused(
    keys: dict[str, str | int | float | None], match: str, tiny: Path
) -> None:
    with pytest.raises(ConvertError, match=match):
        restore_config(with_keys(open_gguf(tiny), **keys))


def write_changed(tiny: Path, path: Path, changes: Mapping[str, np.ndarray | None]) -> Path:
    """Copy a GGUF with other tensors; None leaves one out."""
    source, reader = open_gguf(tiny), GGUFReader(tiny)
    writer = GGUFWriter(path, "llama")
    for key, field in reader.fields.items():
        if not key.startswith(("GGUF.", "general.architecture")):
            kind, *inner = field.types
            writer.add_key_value(key, field.contents(), kind, inner[0] if inner else None)
    tensors = {
        t.name: np.array(t.data).reshape(source.tensors[t.name].shape) for t in reader.tensors
    }
    for name, values in {**tensors, **changes}.items():
        if values is not None:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"blk.1.ffn_up.weight": None}, "has no tensor blk.1.ffn_up.weight"),
        ({"blk.0.attn_q_norm.weight": np.ones(16, np.float32)}, "does not know: blk.0.attn_q_norm"),
        ({"blk.0.ffn_up.weight": np.ones((64, 64), np.float32)}, r"has shape \[64, 64\]"),
        ({"blk.0.ffn_up.weight": np.full((128, 64), np.nan, np.float32)}, "cannot hold"),
        ({"blk.0.ffn_up.weight": np.full((128, 64), 70000, np.float32)}, "float16 cannot hold"),
        ({"rope_freqs.weight": np.arange(1, 9, dtype=np.float32)}, "scales rotary frequencies"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    changes: dict[str, np.ndarray | None], match: str, tiny: Path, tmp_path: Path
) -> None:
    path = write_changed(tiny, tmp_path / "changed.gguf", changes)
    with pytest.raises(BonitoError, match=match):
        to_checkpoint(path, tmp_path / "out", dtype="float16")
    assert [entry.name for entry in tmp_path.iterdir()] == ["changed.gguf"]


def test_a_head_of_its_own_makes_an_untied_checkpoint(tiny: Path, tmp_path: Path) -> None:
    for changes, tied in (({}, False), ({"output.weight": None}, True)):
        path = write_changed(tiny, tmp_path / f"{tied}.gguf", changes)
        to_checkpoint(path, tmp_path / str(tied))
        config = json.loads((tmp_path / str(tied) / "config.json").read_text())
        assert config["tie_word_embeddings"] is tied


def test_llama_3_settings_are_those_of_the_divisors(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer(pattern=LLAMA3_PATTERN)
    rope = LLAMA3_ROPE | {"factor": 32.0}
    write_checkpoint(tmp_path / "base", family="llama", rope=rope, layers=1, tokenizer=tokenizer)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="BF16")
    scaling = restore_config(open_gguf(tmp_path / "a.gguf"))["rope_scaling"]
    assert scaling == {key: value for key, value in rope.items() if key != "rope_theta"}
