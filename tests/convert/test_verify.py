"""Verification passes good files and fails broken ones, for the reason that is true."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader
from gguf_reference import logits
from tiny_checkpoint import (
    LLAMA3_PATTERN,
    byte_level_tokenizer,
    write_adapter,
    write_checkpoint,
)
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.convert.mixes import MIXES
from bonito_local.convert.pipeline import convert
from bonito_local.convert.plan import make_plan
from bonito_local.convert.probes import TEXTS
from bonito_local.convert.thresholds import THRESHOLDS
from bonito_local.convert.verify import Report, verify
from bonito_local.errors import BonitoError, ConvertError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    model = write_checkpoint(folder / "base", layers=2)
    write_adapter(folder / "adapter", model)
    convert(folder / "base", folder / "good.gguf", adapters=[folder / "adapter"], quant="Q6_K")
    (folder / "text.txt").write_text("The notice is short. Either party may end it. " * 40)
    return folder


def check(path: Path, made: Path, **options: Any) -> Report:
    return verify(path, source=made / "base", adapters=[made / "adapter"], **options)


def test_a_good_file_passes(made: Path) -> None:
    report = check(made / "good.gguf", made, text=made / "text.txt")
    assert report.passed, report.failures
    found = report.comparison
    assert found is not None
    assert 0 < found.mean_kl < THRESHOLDS["Q6_K"].kl
    assert found.mean_kl <= found.worst_kl
    assert found.reference == "F32"
    assert found.perplexity is not None
    assert found.perplexity == pytest.approx(found.reference_perplexity, rel=0.05)
    assert report.texts_tokenized > 20
    assert report.context_length == 512
    assert not list(made.glob(".verify-*"))


def test_divergence_is_that_of_the_logits(made: Path, tmp_path: Path) -> None:
    """The figure of one prompt, computed anew from both models' logits."""
    tokens = [0, *range(50, 90)]
    with (
        closing(LlamaCpp(made / "good.gguf", Settings(n_seq=1))) as engine,
        closing(Scorer(engine)) as scorer,
    ):
        got = scorer.log_probs(np.array(tokens, np.int32))
    want = logits(made / "good.gguf", tokens).astype(np.float64)
    want -= np.log(np.exp(want).sum(axis=-1, keepdims=True))
    # One keeps its cache in 16 bits, the other in 32.
    np.testing.assert_allclose(got, want, atol=0.15)
    np.testing.assert_allclose(np.exp(got.astype(np.float64)).sum(axis=-1), 1, atol=1e-5)


def test_forgetting_the_adapter_fails(made: Path, tmp_path: Path) -> None:
    convert(made / "base", tmp_path / "forgot.gguf", quant="Q8_0")
    report = check(tmp_path / "forgot.gguf", made)
    assert any("Mean divergence" in failure for failure in report.failures)


def test_damaged_weights_fail(made: Path, tmp_path: Path) -> None:
    """Bytes of one tensor overwritten: it loads, and answers wrong."""
    path = tmp_path / "damaged.gguf"
    path.write_bytes((made / "good.gguf").read_bytes())
    (tmp_path / "damaged.gguf.json").write_text((made / "good.gguf.json").read_text())
    tensor = next(t for t in GGUFReader(path).tensors if t.name == "blk.0.ffn_down.weight")
    with path.open("r+b") as file:
        file.seek(tensor.data_offset)
        file.write(np.random.default_rng(0).bytes(tensor.n_bytes // 210 * 200))
    report = check(path, made)
    assert "The file is not the one that its manifest describes." in report.failures
    assert any("Mean divergence" in f or "Top-1" in f for f in report.failures)


def test_without_the_source_the_file_itself_is_checked(made: Path) -> None:
    report = verify(made / "good.gguf")
    assert report.passed
    assert report.comparison is None
    written = report.write(made / "good.gguf")
    assert json.loads(written.read_text())["passed"] is True


def test_another_source_is_noticed(made: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "other", layers=2)
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config |= {"max_position_embeddings": 1024}
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    report = verify(made / "good.gguf", source=tmp_path / "other")
    assert "Its context is 512; the source's 1024." in report.failures


def with_token(tokenizer: PreTrainedTokenizerFast, text: str, folder: Path) -> None:
    tokenizer.add_tokens([text])
    tokenizer.save_pretrained(folder)


def test_an_adapters_own_tokens_are_kept_and_compared_with(tmp_path: Path) -> None:
    """Tokens that take rows which the embedding had to spare, and rows that training added."""
    text = "Hello, world"
    assert any(text in probe for probe in TEXTS)
    tokenizer = byte_level_tokenizer()
    rows = len(tokenizer) + 8
    model = write_checkpoint(tmp_path / "base", layers=2, tokenizer=tokenizer, vocab=rows)
    write_adapter(tmp_path / "spare", model)
    with_token(tokenizer, text, tmp_path / "spare")
    file = tmp_path / "spare.gguf"
    convert(tmp_path / "base", file, adapters=[tmp_path / "spare"], quant="Q8_0")
    plan = make_plan(tmp_path / "base", adapters=[tmp_path / "spare"])
    assert plan.tokenizer == tmp_path / "spare"
    assert plan.vocabulary.tokens[len(tokenizer) - 1] == text.encode()
    report = verify(file, source=tmp_path / "base", adapters=[tmp_path / "spare"])
    assert report.passed, report.failures
    # The base's own is another.
    base = verify(file, source=tmp_path / "base")
    assert any("unlike the source" in failure for failure in base.failures)


def qwen2_tokenizer() -> PreTrainedTokenizerFast:
    """As Qwen2's: NFC, no `</s>` but as an ordinary token, which its word split never makes."""
    tokenizer = byte_level_tokenizer(pattern=LLAMA3_PATTERN.replace("{1,3}", ""))
    spelled = tokenizer.backend_tokenizer.to_str().replace('"</s>"', '"<|endoftext|>"')
    table = json.loads(spelled)
    table["normalizer"] = {"type": "NFC"}
    table["model"]["ignore_merges"] = False
    table["model"]["vocab"]["</s>"] = len(table["model"]["vocab"])
    backend = Tokenizer.from_str(json.dumps(table))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="<|endoftext|>", unk_token="<unk>"
    )


def test_tokens_are_compared_as_the_engine_makes_them(tmp_path: Path) -> None:
    """Normalized, and with `</s>` as text, which llama.cpp takes for special in any vocabulary."""
    tokenizer = qwen2_tokenizer()
    assert any("e\u0301" in text for text in TEXTS)
    assert any("</s>" in text for text in TEXTS)
    write_checkpoint(tmp_path / "base", family="qwen2", tokenizer=tokenizer, layers=2)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="Q8_0")
    report = verify(tmp_path / "a.gguf", source=tmp_path / "base")
    assert report.passed, report.failures
    # A source without the step has other tokens.
    tokenizer.backend_tokenizer.normalizer = None
    tokenizer.save_pretrained(tmp_path / "base")
    report = verify(tmp_path / "a.gguf", source=tmp_path / "base")
    assert report.failures == tuple(
        f"It tokenizes {text!r} unlike the source." for text in TEXTS if "e\u0301" in text
    )


def test_a_special_token_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    rows = len(tokenizer) + 8
    write_checkpoint(tmp_path / "base", layers=2, tokenizer=tokenizer, vocab=rows)
    convert(tmp_path / "base", tmp_path / "a.gguf", quant="Q8_0")
    more = {"additional_special_tokens": ["<|user|>", "<|model|>"]}
    tokenizer.add_special_tokens(more)
    tokenizer.save_pretrained(tmp_path / "base")
    report = verify(tmp_path / "a.gguf", source=tmp_path / "base")
    line = "It does not read the special token '<|user|>' and 1 others as the source does."
    assert report.failures == (line,)


def test_a_resized_vocabulary_is_compared_with_the_adapters(tmp_path: Path) -> None:
    text = "Hello, world"
    model = write_checkpoint(tmp_path / "base", layers=2)
    model.resize_token_embeddings(608)
    write_adapter(tmp_path / "adapter", model, modules_to_save=["embed_tokens", "lm_head"])
    with_token(byte_level_tokenizer(), text, tmp_path / "adapter")
    file, adapters = tmp_path / "resized.gguf", [tmp_path / "adapter"]
    convert(tmp_path / "base", file, adapters=adapters, quant="Q8_0")
    report = verify(file, source=tmp_path / "base", adapters=adapters)
    assert not any("tokenizes" in failure for failure in report.failures), report.failures


def test_tokens_beyond_the_embedding_are_passed_over(tmp_path: Path) -> None:
    tokenizer = byte_level_tokenizer()
    model = write_checkpoint(tmp_path / "base", layers=2, tokenizer=tokenizer)
    write_adapter(tmp_path / "adapter", model)
    with_token(tokenizer, "[PAD]", tmp_path / "adapter")
    plan = make_plan(tmp_path / "base", adapters=[tmp_path / "adapter"])
    assert plan.tokenizer == tmp_path / "base"


def test_bad_inputs(made: Path, tmp_path: Path) -> None:
    with pytest.raises(BonitoError, match="cannot be read"):
        verify(tmp_path / "absent.gguf")
    (tmp_path / "x.gguf").write_bytes(b"not one")
    with pytest.raises(BonitoError, match="is not a GGUF file"):
        verify(tmp_path / "x.gguf")
    (tmp_path / "short.txt").write_text("a")
    with pytest.raises(ConvertError, match="too short for a perplexity"):
        check(made / "good.gguf", made, text=tmp_path / "short.txt")


def test_every_mix_has_a_threshold() -> None:
    assert THRESHOLDS.keys() == MIXES.keys()
    by_size = ["F32", "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K"]
    limits = [THRESHOLDS[name].kl for name in by_size]
    assert limits == sorted(limits)
