from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.errors import UsageError
from bonito_local.exports.splits import Split, parse_split


@pytest.mark.parametrize(
    ("text", "shares"),
    [("", (100,)), ("100", (100,)), ("90/10", (90, 10)), (" 80 / 15 / 5 ", (80, 15, 5))],
)
def test_shares_are_read(text: str, shares: tuple[int, ...]) -> None:
    assert parse_split(text) == Split(shares)


@pytest.mark.parametrize(
    "text",
    ["90", "90/5", "90/20", "0.9/0.1", "90/5/3/2", "100/0", "-5/105", "a/b", "/", "９０/１０"],
)
def test_other_shares_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="add up to 100") as caught:
        parse_split(text)
    assert "90/5/5" in caught.value.remedy


@given(st.text(max_size=80), st.sampled_from(["90/10", "90/5/5", "34/33/33"]))
def test_a_document_is_in_one_split_and_stays_there(document: str, text: str) -> None:
    split = parse_split(text)
    assert split.of(document) in split.names
    assert split.of(document) == parse_split(text).of(document)


def test_shares_hold_over_many_documents() -> None:
    split = Split((80, 15, 5))
    found = [split.of(f"{at:064x}") for at in range(20_000)]
    shares = [found.count(name) / len(found) for name in split.names]
    assert shares == pytest.approx([0.80, 0.15, 0.05], abs=0.01)


def test_where_documents_are_does_not_change() -> None:
    split = parse_split("60/20/20")
    assert [split.of(f"{at:064x}") for at in range(8)] == EXPECTED


EXPECTED = ["test", "train", "train", "test", "train", "train", "train", "train"]


@given(
    st.sets(st.text(alphabet="abcdef", min_size=1, max_size=6), max_size=30),
    st.sampled_from(["90/10", "90/5/5", "34/33/33"]),
)
def test_few_documents_fill_every_split(documents: set[str], text: str) -> None:
    split = parse_split(text)
    place = split.place(documents)
    again = split.place(sorted(documents))
    placed = {document: place(document) for document in documents}
    assert placed == {document: again(document) for document in documents}
    filled = set(placed.values())
    assert len(filled) == min(len(split.names), len(documents))
    assert not documents or "train" in filled


def test_many_documents_are_placed_by_their_hash_alone() -> None:
    split = Split((90, 5, 5))
    documents = [f"{at:064x}" for at in range(500)]
    assert split.place(documents) == split.of
