"""Sentences of a passage, and which of them are worth a row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.passages.sentences import candidates, sentences


@pytest.mark.parametrize(
    ("passage", "texts"),
    [
        ("Rent is due. It is paid.", ["Rent is due.", "It is paid."]),
        ("Dr. Hale came at 5 p.m. He left.", ["Dr. Hale came at 5 p.m.", "He left."]),
        ("See Art. 5, e.g. No. 7. It is short.", ["See Art. 5, e.g. No. 7.", "It is short."]),
        ("Rent is\ndue monthly.", ["Rent is due monthly."]),
        ("Rules\n\n- Pay rent.\n- Keep quiet.", ["Rules", "Pay rent.", "Keep quiet."]),
        ("1. Pay rent.\n2. Keep quiet.", ["Pay rent.", "Keep quiet."]),
        ('He said "Stop!" Then he left.', ['He said "Stop!"', "Then he left."]),
        ("", []),
    ],
)
def test_sentences(passage: str, texts: list[str]) -> None:
    assert [one.text for one in sentences(passage)] == texts


@given(st.text(max_size=200))
def test_sentences_stand_where_they_say(passage: str) -> None:
    end = 0
    for one in sentences(passage):
        assert end <= one.start < one.end <= len(passage)
        assert " ".join(passage[one.start : one.end].split()).endswith(one.text)
        end = one.end
    assert len(candidates(passage)) <= len(sentences(passage))


def test_sentences_with_facts_come_first() -> None:
    passage = (
        "# The lease\n\nIt is paid by the tenant without any delay. "
        "Is that all that has to be said of it? "
        "The rent of the office in Leeds is 900 pounds a month. Short one."
    )
    assert [one.text for one in candidates(passage)] == [
        "The rent of the office in Leeds is 900 pounds a month.",
        "It is paid by the tenant without any delay.",
    ]


def test_sentences_alone_are_those_without_a_pronoun_if_there_are_any() -> None:
    clear = "The rent of the office in Leeds is 900 pounds a month."
    leaning = "Mr Hall told them on 3 May that 40 of those rooms are theirs."
    assert [one.text for one in candidates(f"{leaning} {clear}", alone=True)] == [clear]
    assert [one.text for one in candidates(leaning, alone=True)] == [leaning]


def test_any_line_will_do_where_there_is_no_sentence() -> None:
    lines = "Chairs: 4\nOak tables for eight"
    assert [one.text for one in candidates(lines)] == ["Chairs: 4 Oak tables for eight"]
    assert [one.text for one in candidates("Chairs")] == ["Chairs"]
    assert candidates(" \n") == []
