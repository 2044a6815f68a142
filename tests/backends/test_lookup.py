"""Drafts looked up in the text so far."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bonito_local.backends.llamacpp.lookup import Lookup


def plainly(tokens: list[int], most: int) -> list[int]:
    """What followed the latest earlier place of the last two tokens."""
    for i in range(len(tokens) - 3, -1, -1):
        if tokens[i : i + 2] == tokens[-2:]:
            return tokens[i + 2 : i + 2 + most]
    return []


@given(st.lists(st.integers(0, 3), max_size=30), st.lists(st.integers(0, 3), max_size=20))
def test_proposes_what_followed_last_time(start: list[int], after: list[int]) -> None:
    lookup, tokens = Lookup(start), list(start)
    assert lookup.propose(4) == plainly(tokens, 4)
    for token in after:
        lookup.append(token)
        tokens.append(token)
        assert lookup.propose(4) == plainly(tokens, 4)
    assert lookup.propose(0) == []
