"""Log-probabilities of answers: each engine against plain arithmetic, and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from asking import text_of
from tiny_checkpoint import write_adapter, write_checkpoint, write_decided

from bonito_local.backends.adapter import read_adapter
from bonito_local.backends.likelihood import Question
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer as LlamaScorer
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.registry import check_scores, open_scorer
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.backends.transformers.scoring import Scorer
from bonito_local.convert.pipeline import convert
from bonito_local.errors import ModelError, UsageError

CHOICES = ("yes", "no", "not stated", "entailment", "")
QUESTIONS = [
    Question(f"{text_of(seed, 5 + 17 * seed % 90)}\nAnswer:", CHOICES, ends)
    for seed in range(5)
    for ends in (False, True)
]
# The worst seen between llama.cpp, which keeps its KV cache in 16 bits, and transformers in 32.
TOLERANCE = 0.08


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decided(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Iterator[Transformers]:
    backend = Transformers(checkpoint, dtype=torch.float32, rows=4)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def plain(engine: Transformers) -> list[tuple[float, ...]]:
    """One text at a time, without a cache or padding."""
    found = []
    for question in QUESTIONS:
        prompt = engine.texts.encode(question.prompt)
        logs = []
        for text in question.answers:
            answer = engine.texts.tokenizer(text, add_special_tokens=False)["input_ids"]
            answer += [engine.texts.tokenizer.eos_token_id] if question.ends else []
            with torch.inference_mode():
                logits = engine.model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
            logs.append(
                sum(float(logits[at, token]) for at, token in zip(places, answer, strict=True))
            )
        found.append(tuple(logs))
    return found


def test_transformers_is_plain_arithmetic(
    engine: Transformers, plain: list[tuple[float, ...]]
) -> None:
    for found, wanted in zip(Scorer(engine).answers(QUESTIONS), plain, strict=True):
        assert found == pytest.approx(wanted, abs=1e-3)
        assert wanted[0] < -0.1


def test_llama_cpp_agrees_with_transformers(
    checkpoint: Path, plain: list[tuple[float, ...]]
) -> None:
    gguf = checkpoint.with_suffix(".gguf")
    convert(checkpoint, gguf, quant="F32")
    opened = LlamaCpp(gguf, Settings(n_seq=1))
    with closing(LlamaScorer(opened)) as scorer:
        for found, wanted in zip(scorer.answers(QUESTIONS), plain, strict=True):
            assert found == pytest.approx(wanted, abs=TOLERANCE)
        # More than are computed together, and prompts that begin alike.
        many = tuple(text_of(seed, 1 + seed % 4) for seed in range(10))
        asked = [Question(text_of(2, 40) + end, many, ends=True) for end in ("", " x")]
        together = list(scorer.answers(asked))
        for question, found in zip(asked, together, strict=True):
            assert found is not None
            for text, log in zip(many, found, strict=True):
                alone = Question(question.prompt, (text,), ends=True)
                (one,) = scorer.answers([alone])
                assert one == pytest.approx((log,), abs=TOLERANCE)
    opened.close()


def test_what_does_not_fit_is_none(engine: Transformers, tiny_gguf: Path) -> None:
    asked = [Question("word " * 600, CHOICES), QUESTIONS[0], Question("word", ("word " * 600,))]
    opened = LlamaCpp(tiny_gguf, Settings(n_seq=1))
    with closing(LlamaScorer(opened)) as scorer:
        for one in (scorer, Scorer(engine)):
            assert [found is None for found in one.answers(asked)] == [True, False, True]
    opened.close()


def test_an_adapter_is_applied(tmp_path: Path) -> None:
    model = write_checkpoint(tmp_path / "base", dtype=torch.float32, layers=2)
    adapted = write_adapter(tmp_path / "adapter", model).eval()
    adapter = read_adapter(tmp_path / "adapter")
    backend = Transformers(tmp_path / "base", dtype=torch.float32, adapter=adapter)
    question = Question("Either party may end", (" this agreement",))
    (found,) = Scorer(backend).answers([question])
    prompt = backend.texts.encode(question.prompt)
    tokens = backend.texts.tokenizer(question.answers[0], add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = adapted(torch.tensor([[*prompt, *tokens]])).logits[0].log_softmax(-1)
    wanted = sum(float(logits[len(prompt) - 1 + at, token]) for at, token in enumerate(tokens))
    assert found == pytest.approx((wanted,), abs=1e-3)
    bare = Transformers(tmp_path / "base", dtype=torch.float32)
    (without,) = Scorer(bare).answers([question])
    assert without is not None
    assert abs(without[0] - wanted) > 0.01
    backend.close()
    bare.close()


def test_an_adapter_of_another_model(tmp_path: Path, checkpoint: Path) -> None:
    model = write_checkpoint(tmp_path / "base", dtype=torch.float32, layers=1, width=128)
    write_adapter(tmp_path / "adapter", model)
    with pytest.raises(ModelError, match="does not go with"):
        Transformers(checkpoint, adapter=read_adapter(tmp_path / "adapter"))


def test_backends_that_give_no_probabilities(engine: Transformers) -> None:
    assert isinstance(open_scorer("transformers", engine), Scorer)
    with pytest.raises(UsageError, match="The openai backend gives no probabilities"):
        check_scores("openai")
