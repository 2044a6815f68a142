"""Masks over the logits that keep a completion in its `Lines`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Line, Lines
from bonito_local.backends.llamacpp.guide import (
    NEVER,
    Vocabulary,
    Way,
    follow,
    keep,
    onward,
    word_edges,
)

_BREAK = b"\n"


class LinesGuide:
    """The masks of one completion, token by token: `mask`, draw, `accept`.

    Attributes:
        ended: whether the last line has ended.
    """

    def __init__(self, vocabulary: Vocabulary, shape: Lines) -> None:
        """Guide a completion whose first line was begun by its prompt."""
        self.ended = False
        self._vocabulary = vocabulary
        self._lines = shape.lines
        self._at = 0
        self._name = b""  # what is still to be written of the line's name
        self._text = b""  # of the line
        self._ways = _ways(shape.lines[0])

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Make what may not come next impossible, in place."""
        vocabulary, line = self._vocabulary, self._lines[self._at]
        if self._name:
            keep(logits, vocabulary.prefixes(self._name))
        elif line.choices or line.span_of is not None:
            self._mask_ways(logits)
        else:
            said = bool(self._text.strip())
            if not said:
                logits[vocabulary.making(_BREAK, b"")] = NEVER
            elif not self._last and vocabulary.end:
                # Where the model would end the text, the line ends: others are still to come.
                breaks = vocabulary.prefixes(_BREAK)
                logits[breaks] = np.maximum(logits[breaks], logits[vocabulary.end].max())
            if not self._last or not said:
                logits[vocabulary.end] = NEVER

    def accept(self, piece: bytes) -> None:
        """Take the bytes of the token that was drawn."""
        if self._name:
            self._name = self._name.removeprefix(piece)
            return
        self._text += piece
        if _BREAK in piece:
            self._next()
        else:
            self._ways = follow(self._ways, piece)

    @property
    def _last(self) -> bool:
        return self._at == len(self._lines) - 1

    def _next(self) -> None:
        if self._last:
            self.ended = True
            return
        self._at += 1
        line = self._lines[self._at]
        self._name, self._text, self._ways = f"{line.name}:".encode(), b"", _ways(line)

    def _mask_ways(self, logits: npt.NDArray[np.float32]) -> None:
        vocabulary = self._vocabulary
        allowed = onward(self._ways, vocabulary)
        may_end = bool(self._text) and any(way.at in way.ends for way in self._ways)
        if may_end or not allowed:
            allowed |= {*vocabulary.prefixes(_BREAK), *(vocabulary.end if self._last else ())}
        keep(logits, allowed)


def _ways(line: Line) -> list[Way]:
    """What the line may hold; each way begins with the space after the name's colon."""
    if line.span_of is None:
        texts = [f" {choice}".encode() for choice in line.choices]
        return [Way(text, 0, frozenset({len(text)})) for text in texts]
    whole = f" {line.span_of}"
    starts, ends = word_edges(whole)
    text = whole.encode()
    return [Way(text, at - 1, ends) for at in starts if text[at - 1 : at] == b" "]
