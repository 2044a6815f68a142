"""The llama.cpp backend on a tiny real model, against drawing one token at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asking import GREEDY, ask, by_sample, text_of
from gguf import GGUFReader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from one_by_one import Drawn, Reference, check_greedy
from tiny_model import BOS_ID, EOS_ID, write_tiny_gguf

from bonito_local.backends.base import Line, Lines, Request, Sample, Sampling, Shape
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError
from bonito_local.tasks import PIPE


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> Iterator[LlamaCpp]:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=6, threads=1))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def single(tiny_gguf: Path) -> Iterator[LlamaCpp]:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=1, threads=1))
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def reference(tiny_gguf: Path) -> Iterator[Reference]:
    plain = Reference(tiny_gguf)
    yield plain
    plain.close()


def test_batched_greedy_equals_one_by_one(engine: LlamaCpp, reference: Reference) -> None:
    prompts = {str(i): text_of(i, 3 + 11 * (i % 7)) for i in range(40)}
    check_greedy(engine, reference, prompts, least=36)


def test_characters_of_several_tokens_are_whole(engine: LlamaCpp) -> None:
    wild = Sampling(temperature=1.5, top_p=1.0, max_tokens=60)
    done = by_sample(engine.generate([ask("r", "é", wild, *range(60))]))
    characters = {c for completion in done.values() for c in completion.text}
    assert any("\x80" <= c < "\ufffd" for c in characters)


def test_prompt_longer_than_a_step(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "long.gguf", context=2048, seed=3)
    plain, backend = Reference(path), LlamaCpp(path, Settings(n_seq=2, threads=1))
    prompts = {"a": text_of(1, 310), "b": text_of(2, 3), "c": text_of(3, 240)}
    assert len(plain.model.prompt(prompts["a"])) > 1024
    for (name, _), done in by_sample(
        backend.generate(ask(name, text) for name, text in prompts.items())
    ).items():
        assert plain.greedy(prompts[name], 24).agrees(done.text)
    plain.close()
    backend.close()


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[list[tuple[int, int, int, int]], int]]:
    """Runs of (words, seed, n, max_tokens) requests, each closed after so many completions."""
    request = st.tuples(
        st.integers(0, 60), st.integers(0, 30), st.integers(1, 9), st.integers(1, 24)
    )
    return draw(
        st.lists(
            st.tuples(st.lists(request, min_size=1, max_size=10), st.integers(0, 40)),
            min_size=1,
            max_size=3,
        )
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(runs())
def test_sequences_never_see_each_other(
    engine: LlamaCpp,
    reference: Reference,
    drawn: dict[tuple[str, int], Drawn],
    plan: list[tuple[list[tuple[int, int, int, int]], int]],
) -> None:
    for wanted, enough in plan:
        requests = {
            str(i): ask(str(i), text_of(seed, words), Sampling(n, 0, 1, limit), *range(n))
            for i, (words, seed, n, limit) in enumerate(wanted)
        }
        completions = engine.generate(iter(requests.values()))
        for count, completion in enumerate(completions, 1):
            request = requests[completion.request_id]
            key = (request.prompt, request.sampling.max_tokens)
            if key not in drawn:
                drawn[key] = reference.greedy(*key)
            assert drawn[key].agrees(completion.text)
            if count > enough:
                completions.close()  # type: ignore[attr-defined]
                break
        else:
            assert count == sum(n for _, _, n, _ in wanted)


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, int], Drawn]:
    return {}


def test_single_slot_reproduces_bit_for_bit(single: LlamaCpp) -> None:
    hot = Sampling(n=3, temperature=1.0, top_p=0.95, max_tokens=40)
    requests = [
        ask(str(i), text_of(i, 5 + 20 * (i % 4)), hot, i, i + 100, i + 200) for i in range(12)
    ]
    first = by_sample(single.generate(requests))
    assert by_sample(single.generate(reversed(requests))) == first
    # A job that goes on asks for the samples that are missing, alone.
    rest = [Request(r.id, r.prompt, r.sampling, r.samples[2:]) for r in requests[5:]]
    for key, completion in by_sample(single.generate(rest)).items():
        assert completion == first[key]


def test_samples_of_one_prompt_share_its_prefill(tiny_gguf: Path) -> None:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=4, threads=1))
    prompt = text_of(4, 40)
    hot = Sampling(n=10, temperature=1.0, top_p=1.0, max_tokens=20)
    done = by_sample(backend.generate([ask("r", prompt, hot, *range(10))]))
    assert sorted(index for _, index in done) == list(range(10))
    assert len({completion.text for completion in done.values()}) == 10
    assert backend.stats.prompt_tokens == len(backend._model.prompt(prompt)) - 1
    assert backend.stats.completion_tokens == sum(c.completion_tokens for c in done.values())
    backend.close()


def test_same_seed_draws_the_same_and_top_p_narrows(single: LlamaCpp, reference: Reference) -> None:
    prompt = text_of(9, 12)
    hot = Sampling(temperature=1.0, top_p=1.0, max_tokens=16)
    a, b, c = (next(single.generate([ask("r", prompt, hot, seed)])).text for seed in (5, 5, 6))
    assert a == b != c
    # Next to nothing of the distribution is its best token.
    narrow = Sampling(temperature=1.0, top_p=1e-6, max_tokens=16)
    assert (
        next(single.generate([ask("r", prompt, narrow, 5)])).text
        == reference.greedy(prompt, 16).text()
    )


def test_top_p_cuts_the_distribution_after_temperature(
    single: LlamaCpp, reference: Reference
) -> None:

    prompt, temperature, top_p = text_of(2, 9), 2.0, 0.6
    logits = reference.logits(reference.model.prompt(prompt).tolist()) / temperature
    order = np.argsort(-logits)
    share = np.cumsum(np.exp(logits[order]) / np.exp(logits).sum())
    kept = {
        (reference.model.piece(int(t)) or b"").decode("utf-8", errors="replace")
        for t in order[: int((share < top_p).sum()) + 1]
    }
    sampling = Sampling(400, temperature, top_p, 1)
    done = by_sample(single.generate([ask("r", prompt, sampling, *range(400))]))
    texts = {completion.text for completion in done.values()}
    assert texts <= kept
    assert len(texts) > len(kept) / 2


def test_stop_strings_cut_the_text(engine: LlamaCpp, reference: Reference) -> None:
    prompt = text_of(6, 8)
    whole = next(engine.generate([ask("r", prompt)])).text
    assert whole == reference.greedy(prompt, 24).text()
    stop = whole[9:12]
    at = whole.index(stop)
    sampling = Sampling(temperature=0, max_tokens=24, stop=("never there", stop, stop[1:]))
    cut = next(engine.generate([ask("r", prompt, sampling)]))
    assert (cut.text, cut.finish_reason) == (whole[:at], "stop")
    assert at <= cut.completion_tokens < 24


def test_end_of_text_ends_a_completion(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "eos.gguf", eos_gain=3, seed=2)
    plain, backend = Reference(path), LlamaCpp(path, Settings(n_seq=5, threads=1), n_ctx=768)
    requests = [ask(str(i), text_of(i, 4 + i % 9)) for i in range(30)]
    reasons = set()
    for (name, _), completion in by_sample(backend.generate(requests)).items():
        expected = plain.greedy(requests[int(name)].prompt, 24)
        assert expected.agrees(completion.text)
        if completion.text == expected.text():
            reasons.add(completion.finish_reason)
            assert completion.finish_reason == ("stop" if expected.stopped else "length")
            assert completion.completion_tokens == len(expected.pieces) + expected.stopped
    assert reasons == {"stop", "length"}
    plain.close()
    backend.close()


def test_a_special_token_among_the_stops_ends_a_completion(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "chatty.gguf", eos_gain=3, seed=2)
    # It ends its turns with a token that does not end texts, by the file.
    output = next(one for one in GGUFReader(path, "r+").tensors if one.name == "output.weight")
    output.data[[BOS_ID, EOS_ID]] = output.data[[EOS_ID, BOS_ID]]
    stopping = replace(GREEDY, stop=("<s>", "</s>x", "the"))
    shaped = replace(ask("r", text_of(1, 9), stopping), shape=Lines((Line("A"), Line("Why"))))
    backend = LlamaCpp(path, Settings(n_seq=2, threads=1))
    prompts = [text_of(i, 4 + i % 9) for i in range(12)]
    whole = list(backend.generate(map(ask, prompts, prompts)))
    done = list(backend.generate(ask(text, text, stopping) for text in prompts))
    assert {one.finish_reason for one in whole} == {"length"}
    assert {one.finish_reason for one in done} == {"length", "stop"}
    assert not any("the" in one.text for one in done)
    (held,) = backend.generate([shaped])
    assert held.finish_reason == "length" or "\nWhy:" in held.text
    backend.close()


def test_special_tokens_in_a_passage_are_plain_text(engine: LlamaCpp) -> None:
    model = engine._model
    text = "Signed </s> by <s> hand </s></s>"
    assert not {0, 1} & set(model.tokenize(text).tolist())
    assert model.prompt(text).tolist() == [0, *model.tokenize(text).tolist()]
    assert b"".join(model.piece(t) or b"" for t in model.tokenize(text).tolist()) == text.encode()
    assert engine.count_tokens(text) == len(model.tokenize(text))


def test_context_limit_fails_or_clamps_that_request_alone(engine: LlamaCpp) -> None:
    fits, long = text_of(0, 10), text_of(1, 400)
    almost = ""
    while engine.count_tokens(almost) + 1 < engine.context_length - 3:
        almost += "K"
    sampling = Sampling(n=2, temperature=0, max_tokens=24)
    requests = [ask("fits", fits), ask("long", long, sampling, 1, 2), ask("almost", almost)]
    done = by_sample(engine.generate(requests))
    assert done["fits", 0].finish_reason == "length"
    assert done["almost", 0].finish_reason == "length"
    assert done["almost", 0].prompt_tokens == engine.context_length - 3
    assert done["almost", 0].completion_tokens == 3
    for index in (0, 1):
        failed = done["long", index]
        assert (failed.finish_reason, failed.text, failed.completion_tokens) == ("failed", "", 0)
        assert f"{failed.prompt_tokens} tokens" in failed.error
        assert "512" in failed.error


def test_requests_are_pulled_as_there_is_room(engine: LlamaCpp) -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for i in range(60):
            pulled += 1
            yield ask(str(i), text_of(i, i % 30))

    done = 0
    for _ in engine.generate(requests()):
        done += 1
        assert pulled - done <= 6 + 1  # the one that is yielded
    assert (done, pulled) == (60, 60)


def test_closing_or_failing_midway_leaves_the_engine_usable(
    engine: LlamaCpp, reference: Reference
) -> None:
    def broken() -> Iterator[Request]:
        for i in range(9):
            yield ask(str(i), text_of(i, 30))
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        list(engine.generate(broken()))
    unfinished = engine.generate(ask(str(i), text_of(i, 30)) for i in range(20))
    next(unfinished)
    with pytest.raises(BackendError, match="generating already"):
        next(engine.generate([ask("r", "x")]))
    unfinished.close()  # type: ignore[attr-defined]
    prompt = text_of(3, 50)
    assert reference.greedy(prompt, 24).agrees(next(engine.generate([ask("r", prompt)])).text)


def test_the_cache_grows_to_the_longest_request(tiny_gguf: Path, reference: Reference) -> None:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=4, threads=1), n_ctx=1024)
    prompts = {"a": text_of(1, 5), "b": text_of(2, 9), "long": text_of(3, 110)}
    prompts |= {str(i): text_of(i, 4 * i) for i in range(9)}
    assert 256 < backend.count_tokens(prompts["long"]) < 480
    done = list(backend.generate([ask("first", prompts["a"])]))
    assert (backend._context.capacity, backend._context.n_seq) == (256, 4)
    done = list(backend.generate(ask(name, text) for name, text in prompts.items()))
    assert (backend._context.capacity, backend._context.n_seq) == (512, 2)
    assert {completion.request_id for completion in done} == set(prompts)
    for completion in done:
        assert reference.greedy(prompts[completion.request_id], 24).agrees(completion.text)
    backend.close()


def test_a_cache_that_cannot_be_allocated_is_an_error(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "vast.gguf", context=1 << 24)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from bonito_local.backends.base import Request, Sample, Sampling\n"
        "from bonito_local.backends.llamacpp import context, engine\n"
        "from bonito_local.backends.llamacpp.settings import Settings\n"
        "from bonito_local.errors import BackendError\n"
        "context.available_memory = lambda: 1 << 50\n"
        "one = Settings(n_seq=1, threads=1)\n"
        "backend = engine.LlamaCpp(Path(sys.argv[1]), one, n_ctx=1 << 24)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "vast = Request('r', 'x', Sampling(max_tokens=1 << 24), (Sample(0, 0),))\n"
        "try: list(backend.generate([vast]))\n"
        "except BackendError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "16,777,216 tokens (5.0 GiB) cannot be allocated" in ended.stdout


def test_settings_out_of_range_and_use_after_close(tiny_gguf: Path) -> None:
    with pytest.raises(BackendError, match="0 sequences"):
        LlamaCpp(tiny_gguf, Settings(n_seq=0))
    for n_ctx in (-1, 0):
        with pytest.raises(BackendError, match="holds nothing"):
            LlamaCpp(tiny_gguf, n_ctx=n_ctx)
    with pytest.raises(BackendError, match="memory is short") as caught:
        LlamaCpp(tiny_gguf, n_ctx=2**40)
    assert "1,099,511,627,776 tokens" in caught.value.title
    assert "smaller context" in caught.value.remedy
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=2), n_ctx=300)
    assert backend.context_length == 512
    assert backend.metadata["bonito.passage_tokens"] == "48"
    assert backend.metadata["general.architecture"] == "llama"
    backend.close()
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        next(backend.generate([]))


def test_drafts_change_nothing_but_the_speed(tiny_gguf: Path, reference: Reference) -> None:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=3, threads=1, draft=4))
    prompts = {str(i): text_of(i, 20 + i) * 2 for i in range(12)}
    for (name, _), done in by_sample(
        backend.generate(ask(name, text) for name, text in prompts.items())
    ).items():
        assert reference.greedy(prompts[name], 24).agrees(done.text)
    stats = backend.stats
    assert 0 < stats.kept < stats.drafted
    assert stats.completion_tokens == 12 * 24
    backend.close()


def test_drafted_samples_are_those_of_their_seed(tiny_gguf: Path, single: LlamaCpp) -> None:
    hot = Sampling(temperature=0.8, top_p=0.9, max_tokens=30)
    requests = [ask(str(i), text_of(i, 30), hot, i) for i in range(8)]
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=1, threads=1, draft=3))
    plain, drafted = by_sample(single.generate(requests)), by_sample(backend.generate(requests))
    same = sum(plain[key].text == drafted[key].text for key in plain)
    assert same >= 7  # but for a near-tie
    assert backend.stats.kept > 0
    backend.close()


def test_what_slots_share_is_computed_once(tiny_gguf: Path, reference: Reference) -> None:
    backend = LlamaCpp(tiny_gguf, Settings(n_seq=2, threads=1))
    head = text_of(3, 30)
    prompts = {str(i): f"{head} {text_of(i, 6)}" for i in range(10)}
    done = by_sample(backend.generate(ask(name, text) for name, text in prompts.items()))
    for (name, _), completion in done.items():
        assert reference.greedy(prompts[name], 24).agrees(completion.text)
    whole = sum(len(reference.model.prompt(text)) - 1 for text in prompts.values())
    shared = len(reference.model.prompt(head))
    assert backend.stats.prompt_tokens <= whole - 8 * (shared - 2)
    backend.close()


@pytest.mark.parametrize("settings", [Settings(threads=1), Settings(n_seq=3, threads=1, draft=3)])
def test_guided_completions_have_their_shape(tiny_gguf: Path, settings: Settings) -> None:
    backend = LlamaCpp(tiny_gguf, settings)
    passage = text_of(5, 40)
    hot = Sampling(temperature=1.0, top_p=1.0, max_tokens=60)
    shapes = {
        "span": Shape(PIPE, span_of=passage),
        "label": Shape(PIPE, ("yes", "no")),
        "text": Shape(PIPE),
    }
    requests = [
        Request(f"{name} {i}", f"{passage}\n", hot, (Sample(0, i),), shape)
        for name, shape in shapes.items()
        for i in range(12)
    ]
    done = by_sample(backend.generate(requests))
    for (name, _), completion in done.items():
        instruction, response = (part.strip() for part in completion.text.split(PIPE))
        assert instruction
        assert response
        if name.startswith("span"):
            assert response in passage
        if name.startswith("label"):
            assert response in ("yes", "no")
            assert completion.finish_reason == "stop"
    assert len({completion.text for completion in done.values()}) == 36
    backend.close()


def test_other_settings_draw_the_same(tiny_gguf: Path, reference: Reference) -> None:
    prompts = {str(i): text_of(i, 40) for i in range(6)}
    for chosen in (
        Settings(n_seq=3, threads=1, flash_attention=False),
        Settings(n_seq=3, threads=1, ubatch=32),
        Settings(n_seq=3, threads=1, repack=True),
    ):
        backend = LlamaCpp(tiny_gguf, chosen)
        for (name, _), done in by_sample(
            backend.generate(ask(name, text) for name, text in prompts.items())
        ).items():
            assert reference.greedy(prompts[name], 24).agrees(done.text)
        backend.close()
