"""A sentence with one thing changed is false where the sentence is true."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.writing.contrast import changed


@pytest.mark.parametrize(
    ("sentence", "possible"),
    [
        ("Rent is 900 pounds.", {"Rent is 450 pounds.", "Rent is 1350 pounds.", "Rent is 1800 pounds."}),
        ("It cost 1,000 pounds.", {"It cost 500 pounds.", "It cost 1,500 pounds.", "It cost 2,000 pounds."}),
        ("The dose is 0.4 units.", {"The dose is 0.2 units.", "The dose is 0.6 units.", "The dose is 0.8 units."}),
        ("Pay before noon.", {"Pay after noon."}),
        ("Dogs may not bark.", {"Dogs may bark."}),
        ("Dogs may bark.", {"Dogs may not bark."}),
        ("The tenant pays Ann.", {"The tenant pays Bob."}),
        ("If dogs are loud, call us.", {None}),  # the condition is no claim
        ("Birds sing.", {None}),
    ],
)  # fmt: skip
def test_one_thing_is_changed(sentence: str, possible: set[str | None]) -> None:
    passage = f"{sentence} The landlord met Bob."
    found = {changed(sentence, passage, random.Random(seed)) for seed in range(60)}
    assert found == possible


def test_a_month_a_day_and_a_year_become_others_that_the_passage_lacks() -> None:
    sentence = "The lease began on a Monday in May."
    passage = f"{sentence} It is paid in June, on Fridays."
    for seed in range(40):
        other = changed(sentence, passage, random.Random(seed))
        assert other
        assert other != sentence
        assert "June" not in other
    for seed in range(20):
        other = changed(
            "It was built in 1998.", "It was built in 1998, not 2001.", random.Random(seed)
        )
        assert other
        assert 1990 < int(other[-5:-1]) < 2004
        assert "1998" not in other
        assert "2001" not in other


@given(st.text(max_size=120))
def test_any_text(sentence: str) -> None:
    assert changed(sentence, sentence, random.Random(0)) != sentence
