"""Prompt-lookup drafting: rows quote their passage, so what comes next may stand there."""

from __future__ import annotations

from collections.abc import Sequence


class Lookup:
    """Finds where the last two tokens of a text stood before in it.

    After "Prompt Lookup Decoding" (Saxena, 2023): no model drafts, a dictionary does.
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        # The last pair is what is looked up, not where it is found.
        pairs = zip(self._tokens, self._tokens[1:-1], strict=False)
        self._after = {pair: place for place, pair in enumerate(pairs, 2)}

    def propose(self, most: int) -> list[int]:
        """Up to `most` tokens that followed the last two tokens where they last stood."""
        at = self._after.get(tuple(self._tokens[-2:]))  # type: ignore[arg-type]
        return self._tokens[at : at + most] if at is not None else []

    def append(self, token: int) -> None:
        """Take the next token of the text."""
        if len(self._tokens) > 1:
            self._after[self._tokens[-2], self._tokens[-1]] = len(self._tokens)
        self._tokens.append(token)
