"""Requests to engines in tests, and their completions by request and sample."""

from __future__ import annotations

from collections.abc import Iterator

from bonito_local.backends.base import Completion, Request, Sample, Sampling

WORDS = "notice party the fire of agreement in warehouse thirty days é 契約 may end rent".split()
GREEDY = Sampling(temperature=0, max_tokens=24)


def text_of(seed: int, words: int) -> str:
    return " ".join(WORDS[(seed * 7 + i * i * (seed % 5 + 1)) % len(WORDS)] for i in range(words))


def ask(name: str, prompt: str, sampling: Sampling = GREEDY, *seeds: int) -> Request:
    samples = tuple(Sample(i, seed) for i, seed in enumerate(seeds or (0,)))
    return Request(name, prompt, sampling, samples)


def by_sample(done: Iterator[Completion]) -> dict[tuple[str, int], Completion]:
    found = {}
    for completion in done:
        key = (completion.request_id, completion.sample)
        assert key not in found
        found[key] = completion
    return found
