"""Passages that do not fit."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bonito_local.evaluation.shorten import shorten

CONTRACT = (
    "This agreement is made in May. The tenant pays rent on the first of each month. "
    "Pets are not allowed. Either party may end the lease by thirty days' notice in writing. "
    "The landlord keeps a key."
)


def words(text: str) -> int:
    return len(text.split())


def test_what_fits_stays_as_it_is() -> None:
    assert shorten(" a  b\nc ", "a?", 3, words) == " a  b\nc "


def test_the_nearest_sentences_stay_in_their_order() -> None:
    asked = "How may a party end the lease, and when is rent due?"
    assert shorten(CONTRACT, asked, 24, words) == (
        "The tenant pays rent on the first of each month. "
        "Either party may end the lease by thirty days' notice in writing."
    )
    assert shorten(CONTRACT, "Are pets allowed?", 6, words) == "Pets are not allowed."


def test_where_not_one_sentence_fits_its_beginning_stays() -> None:
    assert shorten(CONTRACT, "How can a party end it?", 5, words) == "Either party may end the"


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(max_size=300), st.text(max_size=40), st.integers(1, 60))
def test_it_always_fits(passage: str, question: str, room: int) -> None:
    for count in (words, len):
        found = shorten(passage, question, room, count)
        assert count(found) <= room
        if count(passage) > room:
            left = iter(passage.split())
            # All its words are the passage's, in its order.
            assert all(any(word.startswith(w) or w in word for word in left) for w in found.split())
