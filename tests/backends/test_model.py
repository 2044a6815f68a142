"""Loading a model: what can generate, what cannot, and its tokenizer."""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np
import pytest
from gguf import GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_model import BOS_ID, EOS_ID, write_tiny_gguf

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp import machine
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.normalizing import KEY, form_of
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import ModelError


@pytest.fixture(scope="module")
def model(tiny_gguf: Path) -> Model:
    return Model(tiny_gguf, repack=False)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text() | st.sampled_from(["</s>", "<s> a", "a\0b", "\ud800", "<|task|>\n"]))
def test_any_text_goes_through_the_tokenizer_and_back(model: Model, text: str) -> None:
    tokens = model.tokenize(text).tolist()
    assert BOS_ID not in tokens
    assert EOS_ID not in tokens
    joined = b"".join(model.piece(token) or b"" for token in tokens)
    assert joined == text.encode("utf-8", errors="replace")
    assert model.prompt(text).tolist() == [BOS_ID, *tokens]


@pytest.mark.parametrize(("form", "changes"), [("NFC", True), ("none", False)])
def test_text_is_normalized_where_the_file_says_so(
    form: str, changes: bool, model: Model, tmp_path: Path
) -> None:
    """llama.cpp has no step for it: the tokens must be those of the normalized text."""
    path = write_tiny_gguf(tmp_path / "m.gguf", metadata={"bonito.tokenizer.normalizer": form})
    other = Model(path, repack=False)
    decomposed, composed = "Zu\u0308rich \u2126", "Zürich \u03a9"
    assert model.tokenize(decomposed).tolist() != model.tokenize(composed).tolist()
    want = model.tokenize(composed if changes else decomposed).tolist()
    assert other.tokenize(decomposed).tolist() == want
    assert other.prompt(decomposed).tolist() == [BOS_ID, *want]
    other.close()


@pytest.mark.parametrize(
    ("keys", "form"),
    [
        ({"pre": "qwen2"}, "NFC"),
        ({"pre": "command-r"}, "NFC"),
        ({"pre": "gpt-2"}, None),
        ({"pre": "smollm"}, None),
        ({}, None),
        ({"pre": "qwen2", "model": "llama"}, None),
        ({"pre": "qwen2", "own": "none"}, None),
        ({"pre": "llama-bpe", "own": "NFKC"}, "NFKC"),
    ],
)
def test_the_normalization_is_that_of_the_pre_tokenizer(
    keys: dict[str, str], form: str | None
) -> None:
    names = {"pre": "tokenizer.ggml.pre", "model": "tokenizer.ggml.model", "own": KEY}
    metadata = {"tokenizer.ggml.model": "gpt2"} | {names[k]: v for k, v in keys.items()}
    assert form_of(metadata) == form


def test_pieces(model: Model) -> None:
    assert model.piece(EOS_ID) is None
    assert model.piece(BOS_ID) == b""
    assert model.piece(2 + ord("a")) == b"a"


def test_kv_bytes_are_what_the_cache_takes(model: Model) -> None:
    layers, kv_heads, head, kinds, half = 2, 2, 16, 2, 2
    assert model.kv_bytes == layers * kv_heads * head * kinds * half


def test_metadata(tmp_path: Path) -> None:
    long = "x" * 1000 + "é"
    path = write_tiny_gguf(tmp_path / "m.gguf", metadata={"bonito.note": long, "bonito.size": 7})
    model = Model(path, repack=False)
    assert model.metadata["bonito.note"] == long
    assert model.metadata["bonito.size"] == "7"
    assert model.metadata["tokenizer.ggml.model"] == "gpt2"
    assert model.context_length == 512
    model.close()


def write(path: Path, arch: str, kind: str | None = None, **values: int | bool) -> Path:
    writer = GGUFWriter(path, arch)
    if kind:
        writer.add_type(kind)
    for key, value in values.items():
        name = f"{arch}.{key.replace('__', '.')}"
        if isinstance(value, bool):
            writer.add_bool(name, value)
        else:
            writer.add_uint32(name, value)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("arch", "kind", "values", "title", "remedy"),
    [
        ("bert", None, {"attention__causal": False}, "is an encoder (bert)", "Llama or Mistral"),
        ("qwen3", None, {"pooling_type": 3}, "is an embedding model (qwen3)", "Llama or Mistral"),
        ("llama", "adapter", {}, "holds a GGUF adapter", "bonito-local convert"),
        ("clip", "mmproj", {}, "holds a GGUF mmproj", "bonito-local convert"),
        ("nosucharch", None, {"block_count": 1}, "unknown model architecture", "update"),
        ("llama", None, {"block_count": 1}, "key not found", "Convert the model again"),
    ],
)
def test_what_cannot_generate(
    tmp_path: Path, arch: str, kind: str | None, values: dict[str, int], title: str, remedy: str
) -> None:
    path = write(tmp_path / "m.gguf", arch, kind, **values)
    with pytest.raises(ModelError) as caught:
        Model(path, repack=False)
    assert title in caught.value.title
    assert str(path) in caught.value.title
    assert remedy in caught.value.remedy
    assert "\n" not in str(caught.value)


def test_one_that_does_not_fit_in_memory_is_not_loaded(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 100 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    with pytest.raises(ModelError, match="does not fit in memory: its weights take"):
        LlamaCpp(tiny_gguf)
    Model(tiny_gguf, vocabulary_only=True).close()


def test_automatic_settings(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LlamaCpp(tiny_gguf)
    assert (backend._context.n_seq, backend.context_length) == (32, 512)
    backend.close()
    monkeypatch.setattr(
        "bonito_local.backends.llamacpp.engine.available_memory", lambda: 2 * 400 * 256
    )
    small = LlamaCpp(tiny_gguf)
    samples = tuple(Sample(i, i) for i in range(4))
    done = list(small.generate([Request("r", "x", Sampling(max_tokens=3), samples)]))
    assert len(done) == 4
    assert small._context.n_seq == 2  # 400 cells for 32 sequences: 512, of 256 each
    small.close()


def test_messages_of_llama_cpp_stay_out_of_sight(
    tiny_gguf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    LlamaCpp(tiny_gguf, Settings(n_seq=2)).close()
    assert capfd.readouterr() == ("", "")


def test_the_reason_is_told_when_something_else_took_the_log(tmp_path: Path) -> None:
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p())
    path = write(tmp_path / "m.gguf", "llama", None, block_count=1)
    with pytest.raises(ModelError, match="key not found"):
        Model(path, repack=False)
