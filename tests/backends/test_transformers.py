"""The transformers backend on a tiny checkpoint, against llama.cpp on the GGUF made of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from asking import GREEDY, ask, by_sample, text_of
from checkpoint_engines import (
    check_drawn_as_llamacpp,
    check_limits_and_stops,
    check_pulls_as_it_draws,
    check_seeds,
    check_too_long,
)
from one_by_one import Reference, check_greedy
from tiny_checkpoint import (
    byte_level_tokenizer,
    sentencepiece_tokenizer,
    write_checkpoint,
    write_decided,
)
from tokenizers import decoders

from bonito_local.backends.base import EngineOptions, Framed, Plan, Sampling
from bonito_local.backends.llamacpp import machine
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.registry import open_backend, open_scorer
from bonito_local.backends.transformers import loading
from bonito_local.backends.transformers.batch import draw
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.convert.pipeline import convert
from bonito_local.errors import BackendError, ModelError


@pytest.fixture(scope="module")
def engine(decided: Path) -> Iterator[Transformers]:
    backend = Transformers(decided, dtype=torch.float32, rows=8)
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def reference(decided_gguf: Path) -> Iterator[Reference]:
    plain = Reference(decided_gguf)
    yield plain
    plain.close()


def test_greedy_completions_are_llamacpps(engine: Transformers, reference: Reference) -> None:
    prompts = {str(i): text_of(i, 3 + 9 * (i % 5)) for i in range(24)}
    texts = check_greedy(engine, reference, prompts, least=18)
    assert len(set(texts)) > 12


def test_a_sentencepiece_model_agrees_too(tmp_path: Path) -> None:
    tokenizer = sentencepiece_tokenizer()
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    # Llama's and Mistral's also drop a text's first space.
    tokenizer.backend_tokenizer.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    folder = write_decided(tmp_path / "tiny", tokenizer=tokenizer)
    convert(folder, tmp_path / "tiny.gguf", quant="F16")
    backend, plain = Transformers(folder, dtype=torch.float32), Reference(tmp_path / "tiny.gguf")
    prompts = {str(i): f"{text_of(i, 12)}\n" for i in range(8)}
    for (name, _), done in by_sample(
        backend.generate(ask(name, text) for name, text in prompts.items())
    ).items():
        drawn = plain.greedy(prompts[name], 24)
        assert drawn.agrees(done.text), (done.text, drawn.text())
        assert done.prompt_tokens == len(plain.model.prompt(prompts[name]))
    plain.close()


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=3.0, top_p=0.6), Sampling(temperature=1.5)]
)
def test_what_is_drawn_is_distributed_as_llamacpps(
    engine: Transformers, decided_gguf: Path, sampling: Sampling
) -> None:
    check_drawn_as_llamacpp(engine, decided_gguf, sampling)


def test_top_p_and_temperature_against_plain_arithmetic() -> None:
    chances = torch.tensor([0.5, 0.3, 0.15, 0.05])
    steps = (torch.arange(10_000) + 0.5) / 10_000
    logits = chances.log().expand(10_000, 4)

    def shares(temperature: float, top_p: float) -> list[float]:
        rows = draw(logits, torch.full((10_000,), temperature), torch.full((10_000,), top_p), steps)
        return (torch.bincount(rows, minlength=4) / 10_000).tolist()

    assert shares(1.0, 1.0) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=1e-3)
    assert shares(1.0, 0.7) == pytest.approx([0.625, 0.375, 0, 0], abs=1e-3)
    assert shares(0.0, 1.0) == [1, 0, 0, 0]
    squared = chances**2 / (chances**2).sum()
    assert shares(0.5, 1.0) == pytest.approx(squared.tolist(), abs=1e-3)


def test_a_samples_seed_decides_it(engine: Transformers) -> None:
    check_seeds(engine)


def test_limits_and_stops(engine: Transformers) -> None:
    check_limits_and_stops(engine)


def test_a_special_token_among_the_stops_ends_a_completion(engine: Transformers) -> None:
    assert engine.texts.ends(("</s>", "the", "</s>x")) == [engine.texts.eos]
    drawn = next(iter(engine.generate([ask("r", text_of(3, 6))])))
    name = engine.texts.tokenizer.convert_ids_to_tokens(engine.texts.tokens(drawn.text)[2])
    engine._stops[(name,)] = engine.texts.tokens(drawn.text)[2:3]
    (cut,) = engine.generate([ask("r", text_of(3, 6), replace(GREEDY, stop=(name,)))])
    assert cut.completion_tokens == 3


def test_names_of_special_tokens_in_a_passage_are_plain_text(
    engine: Transformers, reference: Reference
) -> None:
    text = "The end </s> of <s> it."
    assert engine.count_tokens(text) == len(reference.model.tokenize(text))
    done = next(engine.generate([ask("r", text)]))
    assert reference.greedy(text, 24).agrees(done.text)


def test_rows_come_before_all_is_pulled_and_it_can_be_left(engine: Transformers) -> None:
    check_pulls_as_it_draws(engine, 32)


def test_scores_are_llamacpps(engine: Transformers, decided_gguf: Path) -> None:
    text = text_of(3, 12)
    asked = [(text_of(1, 30), text), (text_of(2, 9) + "\n", text), ("", text), (text, "")]
    asked += [(Framed("", text_of(4, 9), "\n\n"), text), (text_of(5, 600), text)]
    plain = LlamaCpp(decided_gguf, Settings(n_seq=1))
    scorer = open_scorer("transformers", engine)
    with closing(plain), closing(open_scorer("llamacpp", plain)) as other:
        for found, wanted in zip(scorer.score(asked), other.score(asked), strict=True):
            if found is None or wanted is None:
                assert found is wanted
                continue
            assert found.tokens == wanted.tokens
            assert found.total == pytest.approx(wanted.total, abs=0.05)
    scorer.close()


def test_a_prompt_too_long_fails_alone(engine: Transformers) -> None:
    check_too_long(engine)


def test_planned_reproducible_bits_and_in_four_bits(decided: Path) -> None:
    request = ask("r", text_of(3, 9), Sampling(3, 1.0, 1.0, 12), 1, 2, 3)
    plain = open_backend("transformers", decided, Plan(reproducible=True))
    others = [ask(str(i), text_of(i, 12), GREEDY) for i in range(3)]
    first = by_sample(plain.generate([request]))
    again = by_sample(plain.generate([*others, request]))
    assert all(again[key] == first[key] for key in first)
    plain.close()
    with pytest.raises(BackendError, match="closed"):
        next(plain.generate([request]))
    small = open_backend("transformers", decided, Plan(options=EngineOptions(quantization="nf4")))
    assert len(list(small.generate([request]))) == 3
    small.close()


def test_a_broken_checkpoint_is_one_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m", layers=1, width=64, tokenizer=byte_level_tokenizer())
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="transformers cannot load"):
        Transformers(tmp_path / "m")


def test_one_that_does_not_fit_in_memory_is_not_loaded(
    decided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 1024 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(loading, "AutoModelForCausalLM", None)
    with pytest.raises(ModelError, match="does not fit in memory: its weights take"):
        Transformers(decided)
