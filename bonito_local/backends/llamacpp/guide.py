"""Masks over the logits that keep a completion in its `Shape`, whatever the vocabulary.

Everything is decided on bytes: the instruction may hold anything but the text's end, the
marker is spelled out when the room for it runs short, and the response follows one of the
texts it may be. No grammar is compiled, and a vocabulary needs no preparation but an index.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Shape
from bonito_local.errors import BackendError

NEVER = -np.inf
_ROOM = 64  # tokens kept free for the response, at most a quarter of all
_LAST = 8  # tokens before the limit at which a span ends where it can


class Vocabulary:
    """Tokens by their bytes.

    Attributes:
        end: tokens that end the text.
    """

    def __init__(self, pieces: Sequence[bytes | None]) -> None:
        """Index the pieces, in token order; None is a token that ends the text."""
        self._tokens: dict[bytes, list[int]] = {}
        for token, piece in enumerate(pieces):
            if piece:
                self._tokens.setdefault(piece, []).append(token)
        self.end = [token for token, piece in enumerate(pieces) if piece is None]
        self._longest = max(map(len, self._tokens), default=0)
        self._containing: dict[tuple[bytes, bytes], list[int]] = {}

    def prefixes(self, text: bytes) -> list[int]:
        """Tokens that `text` may begin with, the longest last."""
        cuts = range(1, min(len(text), self._longest) + 1)
        return [token for end in cuts for token in self._tokens.get(text[:end], ())]

    def spell(self, text: bytes) -> list[int]:
        """Tokens that make up `text`, each as long as can be.

        Raises:
            BackendError: the vocabulary lacks one of its bytes.
        """
        tokens = []
        while text:
            length = next(
                (n for n in range(self._longest, 0, -1) if text[:n] in self._tokens), None
            )
            if length is None:
                raise BackendError(
                    f"The model's vocabulary cannot write {text!r}.", "Leave out --guided."
                )
            tokens.append(self._tokens[text[:length]][0])
            text = text[length:]
        return tokens

    def making(self, wanted: bytes, last: bytes) -> list[int]:
        """Tokens that put `wanted` into a text that ends with the byte `last`."""
        key = (wanted, last)
        if key not in self._containing:
            self._containing[key] = [
                token
                for piece, tokens in self._tokens.items()
                if wanted in last + piece
                for token in tokens
            ]
        return self._containing[key]


@dataclass(frozen=True, slots=True)
class Way:
    """Texts that the response may follow from here on: where it stands, where it may end."""

    text: bytes
    at: int
    ends: frozenset[int]


class Guide:
    """The masks of one completion, token by token: `mask`, draw, `accept`."""

    ended = False  # the text's end is a token

    def __init__(self, vocabulary: Vocabulary, shape: Shape, limit: int) -> None:
        """Guide a completion of at most `limit` tokens."""
        self._vocabulary = vocabulary
        self._shape = shape
        self._marker = shape.marker.encode()
        self._left = limit
        self._room = min(_ROOM, limit // 4)
        self._part: Literal["instruction", "break", "response"] = "instruction"
        self._text = b""  # of this part
        self._ways: list[Way] = []

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Make what may not come next impossible, in place."""
        if self._part == "response":
            self._mask_response(logits)
        elif self._part == "break":
            keep(logits, self._vocabulary.spell(b"\n"))
        elif self._left <= self._room + len(spelled := self._vocabulary.spell(self._rest())):
            keep(logits, spelled[:1])
        elif self._text.endswith(self._marker[:-1]):
            # Nothing of the response may hide in the token that ends the marker.
            keep(logits, self._vocabulary.prefixes(self._marker[-1:] + b"\n"))
        else:
            logits[self._vocabulary.end] = NEVER
            if self._marker.startswith(self._text.strip()):  # nothing is said yet
                self._ban_marker(logits)

    def accept(self, piece: bytes) -> None:
        """Take the bytes of the token that was drawn."""
        self._left -= 1
        self._text += piece
        if self._part == "response":
            self._ways = follow(self._ways, piece)
        elif self._part == "break":
            self._begin_response(b"")
        else:
            _, found, after = self._text.partition(self._marker)
            if found and b"\n" in after:
                self._begin_response(after.lstrip())
            elif found:
                self._part = "break"

    def _begin_response(self, text: bytes) -> None:
        self._part, self._text = "response", text
        shape = self._shape
        if shape.span_of is not None:
            whole = shape.span_of.encode()
            starts, ends = word_edges(shape.span_of)
            self._ways = [Way(whole, start, ends) for start in starts]
        else:
            texts = [choice.encode() for choice in shape.choices]
            self._ways = [Way(text, 0, frozenset({len(text)})) for text in texts]

    def _mask_response(self, logits: npt.NDArray[np.float32]) -> None:
        vocabulary = self._vocabulary
        if not self._ways:
            # A marker begun would be a second one, and without any text it is no response.
            self._ban_marker(logits)
            if not self._text.strip():
                logits[vocabulary.end] = NEVER
            return
        may_end = bool(self._text) and any(way.at in way.ends for way in self._ways)
        if may_end and self._left <= _LAST:
            keep(logits, vocabulary.end)
            return
        keep(logits, [*onward(self._ways, vocabulary), *(vocabulary.end if may_end else ())])

    def _ban_marker(self, logits: npt.NDArray[np.float32]) -> None:
        logits[self._vocabulary.making(self._marker[:2], self._text[-1:])] = NEVER

    def _rest(self) -> bytes:
        """What of the marker, between line breaks, does not stand at the text's end yet."""
        whole = b"\n" + self._marker + b"\n"
        there = next(n for n in range(len(whole), -1, -1) if self._text.endswith(whole[:n]))
        return whole[there:]


def word_edges(text: str) -> tuple[list[int], frozenset[int]]:
    """Byte offsets (UTF-8) where a word starts, and where a word or another sign ends."""
    offsets = [0, *accumulate(len(char.encode()) for char in text)]
    inside = [
        0 < i < len(text) and text[i - 1].isalnum() and text[i].isalnum()
        for i in range(len(text) + 1)
    ]
    starts = [offsets[i] for i, c in enumerate(text) if not c.isspace() and not inside[i]]
    ends = [offsets[i + 1] for i, c in enumerate(text) if not c.isspace() and not inside[i + 1]]
    return starts, frozenset(ends)


def follow(ways: Iterable[Way], piece: bytes) -> list[Way]:
    """The ways that go on with `piece`, behind it."""
    return [
        Way(way.text, way.at + len(piece), way.ends)
        for way in ways
        if way.text.startswith(piece, way.at)
    ]


def onward(ways: Iterable[Way], vocabulary: Vocabulary) -> set[int]:
    """The tokens that one of the ways goes on with."""
    texts = {way.text[way.at : way.at + 64] for way in ways}
    return {token for text in texts for token in vocabulary.prefixes(text)}


def keep(logits: npt.NDArray[np.float32], tokens: Iterable[int]) -> None:
    """Make all other tokens impossible."""
    places = np.fromiter(tokens, np.int64)
    kept = logits[places]
    logits.fill(NEVER)
    logits[places] = kept
