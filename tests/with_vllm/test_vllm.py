"""The real vLLM, on the CPU: `make test-vllm` runs these in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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
from one_by_one import Reference
from tiny_checkpoint import byte_level_tokenizer, write_adapter, write_checkpoint
from transformers import AutoModelForCausalLM

from bonito_local.backends.base import EngineOptions, Plan, Sampling
from bonito_local.backends.likelihood import Question
from bonito_local.backends.registry import open_backend, open_scorer
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.backends.vllm.engine import VLLM
from bonito_local.convert.pipeline import convert
from bonito_local.errors import ModelError

# vLLM's own warnings are not ours to fix.
pytestmark = pytest.mark.filterwarnings("default")
FLOAT32 = EngineOptions(dtype="float32")
# vLLM's processes talk through sockets of their own namespace.
CLOSED = (
    "empty network namespace, seccomp filter, Landlock domain, Python audit hook, "
    "open to this machine's own sockets"
)


@pytest.fixture(scope="module")
def engine(decided: Path) -> Iterator[VLLM]:
    with closing(VLLM(decided, FLOAT32)) as backend:
        yield backend


def test_greedy_completions_are_llamacpps_and_transformers(
    engine: VLLM, decided: Path, decided_gguf: Path
) -> None:
    prompts = {str(i): text_of(i, 3 + 9 * (i % 5)) for i in range(24)}
    requests = [ask(name, text) for name, text in prompts.items()]
    with (
        closing(Reference(decided_gguf)) as plain,
        closing(Transformers(decided, dtype=torch.float32)) as transformers,
    ):
        ours = by_sample(engine.generate(requests))
        others = by_sample(transformers.generate(requests))
        assert len(ours) == len(prompts)
        same = 0
        for key, completion in ours.items():
            drawn = plain.greedy(prompts[key[0]], GREEDY.max_tokens)
            assert drawn.agrees(completion.text), (completion.text, drawn.text())
            assert drawn.agrees(others[key].text), (others[key].text, drawn.text())
            assert completion.prompt_tokens == len(plain.model.prompt(prompts[key[0]]))
            same += completion.text == drawn.text() == others[key].text
            if completion.text == others[key].text:
                assert completion == others[key]  # counts and reasons too
        assert same >= 18  # near-ties are the exception
        text = "The end </s> of <s> it."
        assert engine.count_tokens(text) == len(plain.model.tokenize(text))
        (done,) = engine.generate([ask("r", text)])
        assert plain.greedy(text, GREEDY.max_tokens).agrees(done.text)


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=2.0, top_p=0.8), Sampling(temperature=1.5)]
)
def test_what_is_drawn_is_distributed_as_llamacpps(
    engine: VLLM, decided_gguf: Path, sampling: Sampling
) -> None:
    check_drawn_as_llamacpp(engine, decided_gguf, sampling)


def test_a_samples_seed_decides_it(engine: VLLM) -> None:
    check_seeds(engine)


def test_limits_and_stops(engine: VLLM) -> None:
    check_limits_and_stops(engine)


def test_a_prompt_too_long_fails_alone(engine: VLLM) -> None:
    check_too_long(engine)


def test_samples_of_a_prompt_share_its_cache(engine: VLLM) -> None:
    before = engine.cached_tokens
    prompt = text_of(9, 150)
    tokens = engine.count_tokens(prompt)
    list(engine.generate([ask("r", prompt, Sampling(4, 1.0, 1.0, 4), 1, 2, 3, 4)]))
    assert engine.cached_tokens - before >= 3 * (tokens // 128) * 128 > 0


def test_rows_come_before_all_is_pulled_and_it_can_be_left(engine: VLLM) -> None:
    check_pulls_as_it_draws(engine, 600)


def test_an_adapter_is_applied_unmerged(decided: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(decided, dtype=torch.float32)
    peft = write_adapter(tmp_path / "adapter", model, r=12)
    peft.merge_and_unload().save_pretrained(tmp_path / "merged")
    byte_level_tokenizer().save_pretrained(tmp_path / "merged")
    convert(tmp_path / "merged", tmp_path / "merged.gguf", quant="F32")
    options = EngineOptions(adapter=str(tmp_path / "adapter"), dtype="float32")
    prompts = {str(i): text_of(i, 12) for i in range(8)}
    with (
        closing(Reference(tmp_path / "merged.gguf")) as plain,
        closing(open_backend("vllm", decided, Plan(options=options))) as backend,
    ):
        for done in backend.generate(ask(name, text) for name, text in prompts.items()):
            drawn = plain.greedy(prompts[done.request_id], GREEDY.max_tokens)
            assert drawn.agrees(done.text), (done.text, drawn.text())


def test_a_broken_checkpoint_is_one_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "m", layers=1, width=64, tokenizer=byte_level_tokenizer())
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="vLLM cannot load"):
        VLLM(tmp_path / "m")


def test_a_job_runs_in_the_air_gap(decided: Path, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in "abc":
        (documents / f"{name}.txt").write_text(
            f"In lease {name}. Either party may end it by notice."
        )
    options = ["-t", "qa", "-m", str(decided), "--backend", "vllm", "--max-tokens", "8"]
    command = [sys.executable, "-m", "bonito_local", "generate", str(documents), *options]
    ended = subprocess.run(
        [*command, "-o", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    # Noise parses as no row; that all of it was drawn is what matters.
    assert "No row was accepted" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert ledger["air_gap"] == [CLOSED]
    assert ledger["outcomes"]["pending"] == 0
    assert ledger["outcomes"]["failed"] == 0
    assert ledger["planned"] >= 3


def test_answers_are_as_likely_as_to_transformers(engine: VLLM, decided: Path) -> None:
    choices = ("yes", "no", "not stated", "entailment")
    asked = [Question(text_of(i, 3 + 9 * (i % 5)), choices, ends=i % 2 == 0) for i in range(24)]
    asked.append(Question("word " * 600, choices))
    with closing(Transformers(decided, dtype=torch.float32)) as transformers:
        others = list(open_scorer("transformers", transformers).answers(asked))
    ours = list(open_scorer("vllm", engine).answers(asked))
    assert ours.pop() is None is others.pop()
    for found, wanted in zip(ours, others, strict=True):
        assert found == pytest.approx(wanted, abs=1e-2)
