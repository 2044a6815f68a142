"""A sentence with one thing changed is false where the sentence is true."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.writing.contrast import changes


@pytest.mark.parametrize(
    ("sentence", "possible"),
    [
        ("It is 900 miles.", {"It is 450 miles.", "It is 1350 miles.", "It is 1800 miles."}),
        ("Pay 1,000 now.", {"Pay 500 now.", "Pay 1,500 now.", "Pay 2,000 now."}),
        ("Take 0.4 units.", {"Take 0.2 units.", "Take 0.6 units.", "Take 0.8 units."}),
        ("Pay before noon.", {"Pay after noon."}),
        ("Dogs may not bark.", {"Dogs may bark."}),
        ("Dogs may bark.", {"Dogs may not bark."}),
        ("The tenant pays Ann Lee.", {"The tenant pays Bob Ray."}),
        ("He has the right to Doppler.", {None}),
        ("If dogs are loud, call us.", {None}),  # the condition is no claim
        ("Birds sing.", {None}),
        ("Call within 3 days.", {None}),  # it is true of 6 days too
        ("Take up to 39 weeks.", {None}),
        ("It costs more than 900 pounds.", {None}),
        ("It left by 4 June.", {None}),
        ("It cost 900 pounds more.", {f"It cost {n} pounds more." for n in (450, 1350, 1800)}),
    ],
)
def test_one_thing_is_changed(sentence: str, possible: set[str | None]) -> None:
    passage = f"{sentence} The landlord met Bob Ray in Rome."
    made = [changes(sentence, passage, random.Random(seed)) for seed in range(60)]
    assert {one[0].text if one else None for one in made} == possible


def test_a_month_a_day_and_a_year_become_others_that_the_passage_lacks() -> None:
    sentence = "The lease began on a Monday in May."
    passage = f"{sentence} It is paid in June, on Fridays."
    for seed in range(40):
        other = changes(sentence, passage, random.Random(seed))[0]
        assert other.text != sentence
        assert "June" not in other.text
    for seed in range(20):
        other = changes(
            "It was built in 1998.", "It was built in 1998, not 2001.", random.Random(seed)
        )[0]
        assert 1990 < int(other.text[-5:-1]) < 2004
        assert "1998" not in other.text


@given(st.text(max_size=120))
def test_any_text(sentence: str) -> None:
    assert all(one.text != sentence for one in changes(sentence, sentence, random.Random(0)))


def test_what_is_kept_most_easily_is_changed_first() -> None:
    sentence = "In 1990 (with 3 votes) the council of New Delhi was open on Monday."
    made = changes(sentence, f"{sentence} It met Bob Ray.", random.Random(0))
    assert [one.old for one in made] == ["1990", "open", "Monday", "New Delhi", "3", "was"]
    assert [one.negates for one in made] == [*[False] * 5, True]


@pytest.mark.parametrize(
    ("sentence", "written", "kept"),
    [
        ("Rent falls due in June.", "Is rent due in {new}?", True),
        ("Rent falls due in June.", "Is rent due in June?", False),
        ("Rent falls due in June.", "Is rent due in {new}, not in June?", False),
        ("Dogs may bark.", "Dogs must not bark.", True),
        ("Dogs may bark.", "Dogs are free to bark.", False),
        ("Dogs may not bark.", "Dogs are free to bark.", True),
        ("Dogs may not bark.", "Dogs must not bark.", False),
    ],
)
def test_whether_a_text_kept_the_change(sentence: str, written: str, kept: bool) -> None:
    change = changes(sentence, sentence, random.Random(0))[0]
    assert change.kept(written.format(new=change.new)) is kept
