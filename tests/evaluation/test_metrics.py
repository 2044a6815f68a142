"""Metrics against their definitions, and intervals against the analytic ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonito_local.evaluation.metrics import bootstrap, macro_f1, mean_macro_f1, token_f1

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(LABELS)
def test_macro_f1_by_definition(pairs: list[tuple[int, int]]) -> None:
    right, drawn = map(list, zip(*pairs, strict=True))
    scores = []
    for label in sorted({*right, *drawn}):
        hits = sum(r == d == label for r, d in pairs)
        precision = hits / drawn.count(label) if label in drawn else 0.0
        recall = hits / right.count(label) if label in right else 0.0
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    found = macro_f1(np.array(right), np.array(drawn), 4)
    assert found == pytest.approx(sum(scores) / len(scores))


def test_macro_f1_of_a_constant_answer() -> None:
    # Two classes of equal size: F1 is 2/3 for the one that is always said, and 0 for the other.
    right = np.array([0, 0, 1, 1])
    assert macro_f1(right, np.zeros(4, np.int64), 2) == pytest.approx(1 / 3)
    assert mean_macro_f1(right, np.array([right, right * 0]), 2) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("answer", "right", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        ("a blue, blue mug", "blue mug", 0.8),
        ("an answer", "something else", 0.0),
        ("in 1969", "1969", 2 / 3),
        ("", "", 0.0),  # as in SQuAD v1.1's own script: nothing shared is 0
        ("the", "a", 0.0),
        ("well-known", "well known", 0.0),  # punctuation goes without leaving a space
    ],
)
def test_token_f1_is_squads(answer: str, right: str, f1: float) -> None:
    assert token_f1(answer, right) == pytest.approx(f1)


def test_intervals_are_near_the_analytic_ones() -> None:
    values = np.random.default_rng(3).random(400)
    found = bootstrap(lambda at: float(values[at].mean()), len(values), 0)
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert found.value == pytest.approx(values.mean())
    assert found.value - found.low == pytest.approx(half, rel=0.15)
    assert found.high - found.value == pytest.approx(half, rel=0.15)
    assert bootstrap(lambda at: float(values[at].mean()), len(values), 0) == found
    assert bootstrap(lambda at: float(values[at].mean()), len(values), 1) != found
