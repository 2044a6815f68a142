"""Prompt-lookup drafting: rows quote their passage, so what comes next may stand there."""

from __future__ import annotations

from collections.abc import Sequence


class Lookup:
    """Finds where the last two tokens of a text stood before in it.

    After "Prompt Lookup Decoding" (Saxena, 2023): no model drafts, a dictionary does.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._after = {pair: i + 2 for i, pair in enumerate(self._pairs())}
        # The last pair is what is looked up, not where it is found.
        self._after.pop(self._last(), None)

    def propose(self, most: int) -> list[int]:
        """Up to `most` tokens that followed the last two tokens where they last stood."""
        at = self._after.get(self._last())
        return self._tokens[at : at + most] if at is not None else []

    def append(self, token: int) -> None:
        """Take the next token of the text."""
        self._after[self._last()] = len(self._tokens)
        self._tokens.append(token)

    def _pairs(self) -> list[tuple[int, int]]:
        return list(zip(self._tokens, self._tokens[1:], strict=False))

    def _last(self) -> tuple[int, int]:
        return (self._tokens[-2], self._tokens[-1]) if len(self._tokens) > 1 else (-1, -1)
