"""llama.cpp must give the checkpoint's own tokens, for any text."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import sentencepiece
from gguf import GGUFReader
from gguf_reference import tokenize
from tiny_checkpoint import (
    CORPUS,
    LLAMA3_PATTERN,
    byte_level_tokenizer,
    sentencepiece_tokenizer,
    write_checkpoint,
)
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from varied_texts import varied

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.backends.llamacpp.model import Model
from bonito_local.convert.pipeline import convert
from bonito_local.convert.plan import make_plan
from bonito_local.convert.sentencepiece import read_model
from bonito_local.errors import ConvertError

QWEN2_PATTERN = LLAMA3_PATTERN.replace("{1,3}", "")


def assert_same_tokens(folder: Path, tokenizer: PreTrainedTokenizerFast, count: int) -> None:
    out = folder / "vocab.gguf"
    convert(folder, out, quant="Q8_0")
    texts = varied(count)
    for text, mine in zip(texts, tokenize(out, texts), strict=True):
        assert mine == tokenizer.encode(text), repr(text)


def test_the_chat_template_is_the_one_transformers_takes(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, layers=1)
    path = tmp_path / "tokenizer_config.json"
    plain = json.loads(path.read_text())

    def written(name: str) -> str:
        """What the GGUF says; transformers must say the same."""
        convert(tmp_path, tmp_path / name, quant="Q8_0")
        theirs = PreTrainedTokenizerFast.from_pretrained(tmp_path).chat_template
        found = theirs["default"] if isinstance(theirs, dict) else theirs
        field = GGUFReader(tmp_path / name).fields.get("tokenizer.chat_template")
        assert (field.contents() if field else None) == found
        return str(field.contents()) if field else ""

    assert written("none.gguf") == ""
    several = [{"name": "tool", "template": "T"}, {"name": "default", "template": "D"}]
    path.write_text(json.dumps(plain | {"chat_template": several}))
    assert written("several.gguf") == "D"
    path.write_text(json.dumps(plain | {"chat_template": "S"}))
    assert written("settings.gguf") == "S"
    (tmp_path / "chat_template.jinja").write_text("J")  # newer: it goes before the settings
    assert written("file.gguf") == "J"


@pytest.mark.parametrize("pattern", [None, LLAMA3_PATTERN, QWEN2_PATTERN])
def test_byte_level(pattern: str | None, tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer(pattern=pattern)
    if pattern == QWEN2_PATTERN:
        tokenizer.backend_tokenizer.model.ignore_merges = False
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    assert_same_tokens(tmp_path, tokenizer, 10_000)
    names = {None: "gpt-2", LLAMA3_PATTERN: "llama-bpe", QWEN2_PATTERN: "qwen2"}
    fields = GGUFReader(tmp_path / "vocab.gguf").fields
    assert fields["tokenizer.ggml.pre"].contents() == names[pattern]


@pytest.mark.parametrize(
    ("normalizer", "pattern", "key"),
    [
        (normalizers.NFC(), QWEN2_PATTERN, None),  # as Qwen2's own
        (None, QWEN2_PATTERN, "none"),
        (normalizers.Sequence([]), QWEN2_PATTERN, "none"),
        (None, None, None),  # as GPT-2's own
        (normalizers.NFC(), None, "NFC"),
        (normalizers.Sequence([normalizers.NFKC()]), LLAMA3_PATTERN, "NFKC"),
    ],
)
def test_a_normalization_that_the_pre_tokenizer_does_not_imply_has_a_key(
    normalizer: object, pattern: str | None, key: str | None, tmp_path: Path
) -> None:
    tokenizer = byte_level_tokenizer(pattern=pattern)
    tokenizer.backend_tokenizer.normalizer = normalizer
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    convert(tmp_path, tmp_path / "a.gguf", quant="Q8_0")
    metadata = read_metadata(tmp_path / "a.gguf")
    assert metadata.get("bonito.tokenizer.normalizer") == key
    model = Model(tmp_path / "a.gguf", vocabulary_only=True)
    for text in varied(500):
        want = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        assert model.tokenize(text).tolist() == want, repr(text)
    model.close()


def test_other_changes_to_the_text_are_refused(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    for normalizer, name in (
        (normalizers.Lowercase(), "Lowercase"),
        (normalizers.Sequence([normalizers.NFC(), normalizers.StripAccents()]), "NFC and Strip"),
    ):
        tokenizer.backend_tokenizer.normalizer = normalizer
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(ConvertError, match=f"normalizes text by {name}"):
            make_plan(tmp_path)


def test_added_tokens(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    tokenizer.add_tokens(["<|pipe|>", "notice"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|task|>"]})
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    assert_same_tokens(tmp_path, tokenizer, 2_000)


def test_sentencepiece_in_tokenizer_json(tmp_path: Path) -> None:
    tokenizer = sentencepiece_tokenizer()
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    assert_same_tokens(tmp_path, tokenizer, 10_000)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer.model as Llama's and Mistral's: BPE, byte fallback, no normalization."""
    folder = tmp_path_factory.mktemp("spm")
    (folder / "corpus.txt").write_text("\n".join(CORPUS * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=600,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        character_coverage=0.99,
        minloglevel=2,
    )
    return folder / "tokenizer.model"


def with_model_only(folder: Path, trained: Path, size: int) -> None:
    write_checkpoint(folder, vocab=size, layers=1)
    (folder / "tokenizer.json").unlink()
    shutil.copy(trained, folder / "tokenizer.model")
    settings = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def test_tokenizer_model(trained: Path, tmp_path: Path) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(trained))
    with_model_only(tmp_path, trained, processor.vocab_size())
    out = tmp_path / "vocab.gguf"
    convert(tmp_path, out, quant="Q8_0")
    markers = ("<s>", "</s>", "<unk>")  # to sentencepiece itself these are plain text
    texts = [text for text in varied(3_000) if text and not any(m in text for m in markers)]
    for text, mine in zip(texts, tokenize(out, texts), strict=True):
        assert mine == [processor.bos_id(), *processor.encode(text)], repr(text)


def test_every_damage_to_a_tokenizer_model_is_a_clean_error(trained: Path, tmp_path: Path) -> None:
    good = trained.read_bytes()
    assert len(read_model(trained).pieces) == 600
    source = random.Random(1)
    path = tmp_path / "tokenizer.model"
    refused = 0
    for _ in range(1_000):
        mutant = bytearray(good)
        place = source.randrange(len(mutant))
        mutant[place] = source.randrange(256)
        if source.random() < 0.3:
            del mutant[place:]
        path.write_bytes(mutant)
        try:
            assert len(read_model(path).pieces) <= len(good)
        except ConvertError:
            refused += 1
    assert refused > 100


def split_on(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


@pytest.mark.parametrize(
    "pre",
    [
        split_on(r"\w+|\W+"),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        pre_tokenizers.Whitespace(),
    ],
)
def test_unknown_word_splits_are_refused(pre: object, tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    write_checkpoint(tmp_path, tokenizer=tokenizer, layers=1)
    tokenizer.backend_tokenizer.pre_tokenizer = pre
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConvertError, match="splits words in a way"):
        make_plan(tmp_path)


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, layers=1)
    unigram = Tokenizer(models.Unigram([("a", 0.0), ("b", -1.0)]))
    unigram.decoder = decoders.Metaspace()
    unigram.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ConvertError, match="is not a BPE tokenizer"):
        make_plan(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ConvertError, match=r"no tokenizer.json and no tokenizer.model"):
        make_plan(tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"merges": None}, "has no vocabulary or no merges"),
        ({"vocab": []}, "has no vocabulary or no merges"),
        ({"merges": ["alone"]}, "has a malformed merge: 'alone'"),
        ({"merges": [["a", "b", "c"]]}, "has a malformed merge"),
        ({"merges": [["a", 1]]}, "has a malformed merge"),
        ({"vocab": {"a": -1}, "merges": []}, "has token 'a' with id -1"),
        ({"vocab": {"a": "0"}, "merges": []}, "has token 'a' with id 0"),
    ],
)
def test_broken_tables_are_refused(changes: dict[str, object], match: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, layers=1)
    path = tmp_path / "tokenizer.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"model": told["model"] | changes}))
    with pytest.raises(ConvertError, match=match):
        make_plan(tmp_path)


def test_more_tokens_than_embeddings(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, layers=1)
    bigger = byte_level_tokenizer(size=640)
    bigger.add_tokens([f"<extra{i}>" for i in range(200)])
    bigger.save_pretrained(tmp_path)
    with pytest.raises(ConvertError, match=r"has token .* but the model has"):
        make_plan(tmp_path)
