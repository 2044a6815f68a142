"""What engines of checkpoints do alike, transformers and vLLM: each test asks it of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from asking import ask, by_sample, text_of
from chi_squared import check_same_distribution

from bonito_local.backends.base import Backend, Request, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError


def check_drawn_as_llamacpp(engine: Backend, gguf: Path, sampling: Sampling) -> None:
    """The first token of 1,500 samples of each engine: a chi-squared test of two histograms."""
    one = Sampling(1500, sampling.temperature, sampling.top_p, 1)
    request = ask("r", text_of(4, 10), one, *range(1, 1501))
    first = Counter(c.text for c in engine.generate([request]))
    with closing(LlamaCpp(gguf, Settings(n_seq=16, threads=1))) as llama:
        other = Counter(c.text for c in llama.generate([request]))
    assert first.total() == other.total() == 1500
    check_same_distribution(first, other)


def check_seeds(engine: Backend) -> None:
    """A sample's seed decides it, whatever it is drawn with."""
    hot = Sampling(4, 1.0, 1.0, 16)
    requests = [ask(str(i), text_of(i, 5 + 3 * i), hot, 1, 2, 3, 2) for i in range(5)]
    together = by_sample(engine.generate(requests))
    texts = [together["0", i].text for i in range(4)]
    assert texts[1] == texts[3]
    assert len(set(texts)) == 3
    alone = {
        key: done
        for request in reversed(requests)
        for key, done in by_sample(engine.generate([request])).items()
    }
    assert sum(alone[key].text == together[key].text for key in alone) >= len(alone) - 2


def check_limits_and_stops(engine: Backend) -> None:
    """Completions end at a limit, and before a stop string."""
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
    assert plain.completion_tokens <= 24


def check_too_long(engine: Backend) -> None:
    """A prompt that does not fit fails alone."""
    done = by_sample(engine.generate([ask("long", "é" * 600), ask("short", text_of(1, 5))]))
    assert done["long", 0].finish_reason == "failed"
    assert "the context holds 512" in done["long", 0].error
    assert done["short", 0].finish_reason != "failed"


def check_pulls_as_it_draws(engine: Backend, most: int) -> None:
    """At most so many requests are pulled before the first row; it can be left, and used again."""
    pulled = []

    def requests() -> Iterator[Request]:
        for i in range(2000):
            pulled.append(i)
            yield ask(str(i), text_of(i, 4), Sampling(temperature=0, max_tokens=2))

    running = engine.generate(requests())
    next(running)
    assert len(pulled) <= most
    with pytest.raises(BackendError, match="generating already"):
        next(engine.generate([ask("r", "a")]))
    running.close()  # type: ignore[attr-defined]
    assert [done.request_id for done in engine.generate([ask("r", "a")])] == ["r"]
