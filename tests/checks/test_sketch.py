"""Sketches: how alike rows are, and that those alike enough are found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.checks.sketch import Sketch, likeness, sketch
from bonito_local.checks.text import normalize
from bonito_local.tasks import Pair

PASSAGE = (
    "The tenant Nora Quill pays 1,250 euros on the first working day of each month. The landlord "
    "returns the deposit of three months' rent within thirty days."
)
ASKED = "When does the tenant pay the rent for the flat?"
SAID = "on the first working day of each month"


def of(one: Sketch, other: Sketch) -> float:
    return likeness(one, other.own, other.passage)


def test_what_is_alike() -> None:
    row = sketch(Pair(f"{PASSAGE}\n{ASKED}", SAID), PASSAGE, 0.8)
    cases = [
        (ASKED.upper(), SAID, PASSAGE, 1.0, 1.0),
        (ASKED.replace("the rent", "rent"), SAID, PASSAGE, 0.8, 0.95),
        (ASKED, "Nora Quill", PASSAGE, 0.3, 0.7),
        ("Who pays the deposit?", "the landlord", PASSAGE, 0.0, 0.2),
        # The same of a passage with another name, and of quite another passage.
        (ASKED, SAID, PASSAGE.replace("Nora", "Anna"), 0.8, 0.99),
        (ASKED, SAID, PASSAGE[::-1], 0.0, 0.1),
    ]
    for asked, said, passage, low, high in cases:
        other = sketch(Pair(f"{passage}\n{asked}", said), passage, 0.8)
        assert low <= of(row, other) <= high, (asked, said)
        assert bool(set(row.keys) & set(other.keys)) or high < 0.8


def test_rows_with_other_numbers_share_no_key() -> None:
    rows = [
        sketch(Pair(f"{PASSAGE}\nWhat does the tenant pay in {year}?", SAID), PASSAGE, 0.8)
        for year in (2021, 2022)
    ]
    assert of(*rows) > 0.8
    assert not set(rows[0].keys) & set(rows[1].keys)


@pytest.mark.parametrize(("least", "keys"), [(0.2, 120), (0.5, 40), (0.8, 17), (0.9, 12), (1, 1)])
def test_the_less_alike_rows_may_be_the_more_keys_they_have(least: float, keys: int) -> None:
    """So many that at most 2 in 100 rows just alike enough share none."""
    assert len(set(sketch(Pair(ASKED, SAID), PASSAGE, least).keys)) == keys
    assert (1 - least ** (120 // keys)) ** keys <= 0.02


def test_a_row_without_its_passage_is_not_like_one_with_it() -> None:
    bare = sketch(Pair(ASKED, SAID), PASSAGE, 0.8)
    assert of(bare, sketch(Pair(f"{PASSAGE}\n{ASKED}", SAID), PASSAGE, 0.8)) == 0
    assert of(bare, sketch(Pair(ASKED, SAID), PASSAGE[::-1], 0.8)) == 1


@pytest.mark.parametrize("least", [0.5, 0.8, 0.95])
def test_rows_alike_enough_are_found_and_estimated(least: float) -> None:
    """On random texts, against the exact share of runs of five characters."""
    rng = random.Random(3)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(2, 9))) for _ in range(300)]
    missed = close = 0
    for _ in range(300):
        one = rng.choices(words, k=30)
        other = [rng.choice(words) if rng.random() < (1 - least) / 4 else word for word in one]
        texts = [normalize(" ".join(side)) for side in (one, other)]
        runs = [{t[i : i + 5] for i in range(len(t) - 4)} for t in texts]
        exact = len(runs[0] & runs[1]) / len(runs[0] | runs[1])
        rows = [sketch(Pair(text, ""), "", least) for text in texts]
        assert abs(of(*rows) - exact) < 0.17  # four standard errors at the worst
        if exact >= least:
            close += 1
            missed += not set(rows[0].keys) & set(rows[1].keys)
    assert close > 50
    assert missed <= 0.05 * close


@given(st.text(max_size=80), st.text(max_size=30), st.text(max_size=80))
def test_any_row_is_like_itself_and_likeness_has_no_order(asked: str, said: str, text: str) -> None:
    one = sketch(Pair(asked, said), text, 0.8)
    other = sketch(Pair(text, said), text, 0.8)
    assert one == sketch(Pair(asked, said), text, 0.8)
    assert of(one, one) == 1
    assert of(one, other) == of(other, one) <= 1
