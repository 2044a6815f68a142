"""The real vLLM, on the CPU: `make test-vllm` runs these in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import torch
from asking import GREEDY, ask, by_sample, text_of
from chi_squared import check_same_distribution
from one_by_one import Reference
from tiny_checkpoint import byte_level_tokenizer, write_adapter, write_checkpoint, write_decided
from transformers import AutoModelForCausalLM

from bonito_local.backends.base import EngineOptions, Plan, Request, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.registry import open_backend
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.backends.vllm.engine import VLLM
from bonito_local.convert.pipeline import convert
from bonito_local.errors import BackendError, ModelError

# vLLM's own warnings are not ours to fix.
pytestmark = pytest.mark.filterwarnings("default")
FLOAT32 = EngineOptions(dtype="float32")
# vLLM's processes talk through sockets of their own namespace.
CLOSED = (
    "empty network namespace, seccomp filter, Python audit hook, open to this machine's own sockets"
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decided(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def gguf(checkpoint: Path) -> Path:
    path = checkpoint.with_suffix(".gguf")
    convert(checkpoint, path, quant="F32")
    return path


@pytest.fixture(scope="module")
def engine(checkpoint: Path) -> Iterator[VLLM]:
    with closing(VLLM(checkpoint, FLOAT32)) as backend:
        yield backend


def test_greedy_completions_are_llamacpps_and_transformers(
    engine: VLLM, checkpoint: Path, gguf: Path
) -> None:
    prompts = {str(i): text_of(i, 3 + 9 * (i % 5)) for i in range(24)}
    requests = [ask(name, text) for name, text in prompts.items()]
    with (
        closing(Reference(gguf)) as plain,
        closing(Transformers(checkpoint, dtype=torch.float32)) as transformers,
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
    engine: VLLM, gguf: Path, sampling: Sampling
) -> None:
    one = Sampling(1500, sampling.temperature, sampling.top_p, 1)
    request = ask("r", text_of(4, 10), one, *range(1, 1501))
    first = Counter(c.text for c in engine.generate([request]))
    with closing(LlamaCpp(gguf, Settings(n_seq=16, threads=1))) as llama:
        other = Counter(c.text for c in llama.generate([request]))
    assert first.total() == other.total() == 1500
    check_same_distribution(first, other)


def test_a_samples_seed_decides_it(engine: VLLM) -> None:
    hot = Sampling(4, 1.0, 1.0, 16)
    requests = [ask(str(i), text_of(i, 5 + 3 * i), hot, 1, 2, 3, 2) for i in range(5)]
    together = by_sample(engine.generate(requests))
    texts = [together["0", i].text for i in range(4)]
    assert texts[1] == texts[3]
    assert len(set(texts)) == 3
    again = by_sample(engine.generate(reversed(requests)))
    assert sum(again[key].text == together[key].text for key in again) >= len(again) - 2


def test_limits_and_stops(engine: VLLM) -> None:
    prompt = text_of(2, 8)
    (plain,) = engine.generate([ask("r", prompt)])
    middle = plain.text[6:9]
    short, stopped = (
        next(engine.generate([ask("r", prompt, sampling)]))
        for sampling in (
            Sampling(temperature=0, max_tokens=5),
            Sampling(temperature=0, max_tokens=24, stop=("no such", middle)),
        )
    )
    assert plain.text.startswith(short.text)
    assert (short.completion_tokens, short.finish_reason) == (5, "length")
    assert (stopped.text, stopped.finish_reason) == (plain.text.split(middle)[0], "stop")


def test_a_prompt_too_long_fails_alone(engine: VLLM) -> None:
    done = by_sample(engine.generate([ask("long", "é" * 600), ask("short", text_of(1, 5))]))
    assert done["long", 0].finish_reason == "failed"
    assert "the context holds 512" in done["long", 0].error
    assert done["short", 0].finish_reason != "failed"


def test_samples_of_a_prompt_share_its_cache(engine: VLLM) -> None:
    before = engine.cached_tokens
    prompt = text_of(9, 150)
    tokens = engine.count_tokens(prompt)
    list(engine.generate([ask("r", prompt, Sampling(4, 1.0, 1.0, 4), 1, 2, 3, 4)]))
    assert engine.cached_tokens - before >= 3 * (tokens // 128) * 128 > 0


def test_rows_come_before_all_is_pulled_and_it_can_be_left(engine: VLLM) -> None:
    pulled = []

    def requests() -> Iterator[Request]:
        for i in range(2000):
            pulled.append(i)
            yield ask(str(i), text_of(i, 4), Sampling(temperature=0, max_tokens=2))

    running = engine.generate(requests())
    next(running)
    assert len(pulled) < 600
    with pytest.raises(BackendError, match="generating already"):
        next(engine.generate([ask("r", "a")]))
    running.close()  # type: ignore[attr-defined]
    assert [done.request_id for done in engine.generate([ask("r", "a")])] == ["r"]


def test_an_adapter_is_applied_unmerged(checkpoint: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    peft = write_adapter(tmp_path / "adapter", model, r=12)
    peft.merge_and_unload().save_pretrained(tmp_path / "merged")
    byte_level_tokenizer().save_pretrained(tmp_path / "merged")
    convert(tmp_path / "merged", tmp_path / "merged.gguf", quant="F32")
    options = EngineOptions(adapter=str(tmp_path / "adapter"), dtype="float32")
    prompts = {str(i): text_of(i, 12) for i in range(8)}
    with (
        closing(Reference(tmp_path / "merged.gguf")) as plain,
        closing(open_backend("vllm", checkpoint, Plan(options=options))) as backend,
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


def test_a_job_runs_in_the_air_gap(checkpoint: Path, tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in "abc":
        (documents / f"{name}.txt").write_text(
            f"In lease {name}. Either party may end it by notice."
        )
    options = ["-t", "qa", "-m", str(checkpoint), "--backend", "vllm", "--max-tokens", "8"]
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
