"""Which rows go together, without an engine."""

from __future__ import annotations

from collections.abc import Iterator

from bonito_local.backends.base import Completion, Request, Sample, Sampling
from bonito_local.backends.batching import Row, batches, cut_at_stop

PULLED: list[str] = []


def requests(lengths: list[int], n: int = 1, most: int = 10) -> Iterator[Request]:
    for at, length in enumerate(lengths):
        PULLED.append(str(at))
        samples = tuple(Sample(i, i) for i in range(n))
        yield Request(str(at), "x" * length, Sampling(n, max_tokens=most), samples)


def encode(text: str) -> list[int]:
    return [1] * len(text)


def cut(lengths: list[int], rows: int, cells: int, n: int = 1) -> list[list[Row]]:
    found = list(batches(requests(lengths, n), encode, 100, rows, cells))
    assert all(isinstance(batch, list) for batch in found)
    return [batch for batch in found if isinstance(batch, list)]


def test_like_lengths_go_together_and_fit() -> None:
    lengths = [5, 80, 7, 60, 50, 6, 9, 78] * 4
    made = cut(lengths, rows=8, cells=400)
    assert sorted(len(row.tokens) for batch in made for row in batch) == sorted(lengths)
    for batch in made:
        assert len(batch) <= 8
        assert max(row.need for row in batch) * len(batch) <= 400
    mixed = [batch for batch in made if len({len(row.tokens) < 20 for row in batch}) > 1]
    assert len(mixed) <= 1


def test_a_row_too_large_goes_alone() -> None:
    assert [len(batch) for batch in cut([90, 90, 5], rows=4, cells=20)] == [1, 1, 1]


def test_samples_of_a_prompt_are_neighbours_and_share_its_tokens() -> None:
    (batch,) = cut([5, 5, 5], rows=16, cells=10_000, n=3)
    assert [row.request.id for row in batch] == ["0"] * 3 + ["1"] * 3 + ["2"] * 3
    assert batch[0].tokens is batch[2].tokens


def test_no_more_is_pulled_than_a_few_batches() -> None:
    PULLED.clear()
    made = batches(requests([5] * 1000), encode, 100, 4, 10_000)
    next(made)
    assert len(PULLED) == 16


def test_what_does_not_fit_the_context_fails_alone() -> None:
    made = list(batches(requests([5, 100, 95], n=2), encode, 100, 8, 10_000))
    failed = [found for found in made if isinstance(found, Completion)]
    assert [(c.request_id, c.sample, c.finish_reason) for c in failed] == [
        ("1", 0, "failed"),
        ("1", 1, "failed"),
    ]
    assert failed[0].error == "The prompt has 100 tokens; the context holds 100."
    (rows,) = [found for found in made if isinstance(found, list)]
    assert [row.limit for row in rows] == [5, 5, 10, 10]


def test_the_first_stop_string_cuts() -> None:
    assert cut_at_stop("one two three", ("three", "two")) == "one "
    assert cut_at_stop("one", ("two",)) is None
