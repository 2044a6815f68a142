"""The tokenizer that a GGUF is taken back to gives llama.cpp's tokens, for any text."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from gguf_reference import tokenize
from tiny_checkpoint import (
    CORPUS,
    LLAMA3_PATTERN,
    byte_level_tokenizer,
    sentencepiece_tokenizer,
    write_checkpoint,
)
from tiny_model import write_tiny_gguf
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from varied_texts import varied

from bonito_local.convert.dequantize import to_checkpoint
from bonito_local.convert.gguf_source import open_gguf
from bonito_local.convert.pipeline import convert
from bonito_local.convert.tokenizer_files import restore_tokenizer
from bonito_local.errors import ConvertError

KINDS = ("gpt-2", "llama-bpe", "qwen2", "smollm", "sentencepiece")


def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    if kind == "sentencepiece":
        return sentencepiece_tokenizer()
    if kind == "llama-bpe":
        return byte_level_tokenizer(pattern=LLAMA3_PATTERN)
    if kind == "qwen2":
        tokenizer = byte_level_tokenizer(pattern=LLAMA3_PATTERN.replace("{1,3}", ""))
        tokenizer.backend_tokenizer.model.ignore_merges = False
        tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
        return tokenizer
    tokenizer = byte_level_tokenizer()
    if kind == "smollm":
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
    return tokenizer


def assert_same_tokens(gguf: Path, out: Path, count: int, nfc: bool = False) -> None:
    """Compare both readers of the folder with llama.cpp on the file."""
    texts = varied(count)
    plain = [unicodedata.normalize("NFC", text) if nfc else text for text in texts]
    restored = Tokenizer.from_file(str(out / "tokenizer.json"))
    loaded = AutoTokenizer.from_pretrained(out)
    for text, want in zip(texts, tokenize(gguf, plain), strict=True):
        assert restored.encode(text).ids == want, repr(text)
        assert loaded(text).input_ids == want, repr(text)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_those_of_llama_cpp(kind: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(kind)
    tokenizer.add_tokens(["<|pipe|>", "notice"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|task|>"]})
    write_checkpoint(tmp_path / "base", tokenizer=tokenizer, layers=1)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="Q8_0")
    pre = open_gguf(tmp_path / "a.gguf").metadata["tokenizer.ggml.pre"]
    assert pre == ("default" if kind == "sentencepiece" else kind)
    to_checkpoint(tmp_path / "a.gguf", tmp_path / "out")
    assert_same_tokens(tmp_path / "a.gguf", tmp_path / "out", 5_000, nfc=kind == "qwen2")
    restored = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert restored.get_vocab() == tokenizer.get_vocab()
    assert {*tokenizer.all_special_ids} <= {*restored.all_special_ids}
    for ids in ([5, 300, 400, 301], tokenizer.encode("Zürich, 漢字 🚀  note<|task|>")):
        # The tiny SentencePiece tokenizer has no step that turns U+2581 into a space.
        assert restored.decode(ids) == tokenizer.decode(ids).replace("\u2581", " ")


@pytest.mark.parametrize("kind", KINDS)
def test_the_converter_reads_back_the_vocabulary_that_it_wrote(kind: str, tmp_path: Path) -> None:
    tokenizer = tokenizer_of(kind)
    tokenizer.add_tokens(["<|pipe|>"])
    tokenizer.pad_token = "</s>"
    tokenizer.chat_template = "{% for m in messages %}«{{ m.content }}»\n{% endfor %}"
    write_checkpoint(tmp_path / "base", tokenizer=tokenizer, vocab=720, layers=1)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="BF16")
    to_checkpoint(tmp_path / "a.gguf", tmp_path / "again")
    convert(tmp_path / "again", tmp_path / "b.gguf", quant="BF16")
    first, second = open_gguf(tmp_path / "a.gguf"), open_gguf(tmp_path / "b.gguf")
    names = {key for key in first.metadata if key.startswith("tokenizer.")}
    assert {"tokenizer.chat_template", "tokenizer.ggml.padding_token_id"} <= names
    assert {k: first.metadata[k] for k in names} == {k: second.metadata[k] for k in names}
    # Scores are ranks, of which there are more where every pair of tokens is listed.
    lists = first.lists.keys() - {"tokenizer.ggml.scores"}
    assert {key: first.lists[key] for key in lists} == {key: second.lists[key] for key in lists}


@pytest.mark.parametrize("form", [None, "NFC", "NFKD"])
def test_a_normalization_comes_back(form: str | None, tmp_path: Path) -> None:
    tokenizer = tokenizer_of("qwen2")
    backend = tokenizer.backend_tokenizer
    backend.normalizer = getattr(normalizers, form)() if form else None
    write_checkpoint(tmp_path / "base", tokenizer=tokenizer, layers=1)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="BF16")
    to_checkpoint(tmp_path / "a.gguf", tmp_path / "out")
    restored = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    for text in varied(500):
        assert restored.encode(text).ids == backend.encode(text).ids, repr(text)


def test_a_tokenizer_model_becomes_a_tokenizer_json(tmp_path: Path) -> None:
    """SentencePiece's own scores, which are no ranks, and a space before the text or none."""
    (tmp_path / "corpus.txt").write_text("\n".join(CORPUS * 20))
    for prefix in (True, False):
        folder = tmp_path / str(prefix)
        folder.mkdir()
        sentencepiece.SentencePieceTrainer.train(
            input=str(tmp_path / "corpus.txt"),
            model_prefix=str(tmp_path / "tokenizer"),
            model_type="bpe",
            vocab_size=600,
            byte_fallback=True,
            add_dummy_prefix=prefix,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            character_coverage=0.99,
            minloglevel=2,
        )
        write_checkpoint(folder, vocab=600, layers=1)
        (folder / "tokenizer.json").unlink()
        (tmp_path / "tokenizer.model").rename(folder / "tokenizer.model")
        settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
        convert(folder, folder / "a.gguf", quant="Q8_0")
        to_checkpoint(folder / "a.gguf", folder / "out")
        assert_same_tokens(folder / "a.gguf", folder / "out", 5_000)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def restored(tiny: Path, lists: dict[str, list[Any]] | None = None, **keys: Any) -> dict[str, Any]:
    """`tokenizer.json` of the tiny model with other keys and lists; None removes a key."""
    source = open_gguf(tiny)
    changes = {f"tokenizer.ggml.{key}": value for key, value in keys.items()}
    metadata = {**source.metadata, **changes}
    source = replace(
        source,
        metadata={key: value for key, value in metadata.items() if value is not None},
        lists={**source.lists, **{f"tokenizer.ggml.{k}": v for k, v in (lists or {}).items()}},
    )
    return restore_tokenizer(source).tokenizer


def ends(tokenizer: dict[str, Any]) -> list[str]:
    text = Tokenizer.from_str(json.dumps(tokenizer))
    return list(text.encode("a").tokens)


def test_bos_and_eos_are_added_as_llama_cpp_adds_them(tiny: Path) -> None:
    assert ends(restored(tiny, add_bos_token=False)) == ["a"]
    assert ends(restored(tiny, add_bos_token=True, add_eos_token=True)) == ["<s>", "a", "</s>"]
    assert ends(restored(tiny, add_bos_token=False, add_eos_token=True)) == ["a", "</s>"]
    # Without the key it is the pre-tokenizer that decides.
    assert ends(restored(tiny, add_bos_token=None)) == ["a"]
    assert ends(restored(tiny, add_bos_token=None, pre="llama-bpe")) == ["<s>", "a"]
    assert ends(restored(tiny, add_bos_token=True, bos_token_id=None)) == ["a"]


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({"model": "bert"}, "tokenizer of kind 'bert'"),
        ({"model": None}, "tokenizer of kind None"),
        ({"pre": "tekken"}, "by pre-tokenizer 'tekken', which cannot be rebuilt"),
        ({"pre": None}, "by pre-tokenizer 'default'"),
        ({"eos_token_id": 100_000}, "has 100000 for its eos token's id"),
        ({"model": "llama"}, "no sound list tokenizer.ggml.scores"),
        ({"lists": {"token_type": [1, 1]}}, "has 2 types of"),
        ({"lists": {"tokens": []}}, "no sound list tokenizer.ggml.tokens"),
        ({"lists": {"merges": ["alone"]}}, "merges 'alone': not a pair of its tokens"),
        ({"lists": {"merges": ["zq zq"]}}, "merges 'zq' and 'zq': not a pair"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused(keys: dict[str, Any], match: str, tiny: Path) -> None:
    with pytest.raises(ConvertError, match=match):
        restored(tiny, **keys)


def test_sentencepiece_without_bytes_is_refused(tiny: Path) -> None:
    scores = [0.0] * len(open_gguf(tiny).lists["tokenizer.ggml.tokens"])
    with pytest.raises(ConvertError, match="lacks tokens of single bytes"):
        restored(tiny, {"scores": scores}, model="llama")
    with pytest.raises(ConvertError, match=r"scores of \d+ tokens"):
        restored(tiny, {"scores": scores[1:]}, model="llama")
