"""What a live sample has drawn so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bonito_local.backends.llamacpp.guide import Guide
from bonito_local.backends.llamacpp.lines import LinesGuide
from bonito_local.backends.llamacpp.lookup import Lookup
from bonito_local.backends.llamacpp.sampler import Sampler


@dataclass(slots=True)
class Draw:
    """A sample's sampler, its last token, its text, and how many tokens that is."""

    sampler: Sampler
    token: int
    guide: Guide | LinesGuide | None
    lookup: Lookup | None
    draft: list[int] = field(default_factory=list)
    count: int = 0
    text: bytearray = field(default_factory=bytearray)

    def pick(self, logits: npt.NDArray[np.float32]) -> int:
        """The next token, from its logits, of shape (vocabulary,)."""
        if self.guide:
            self.guide.mask(logits)
        return self.sampler.pick(logits)

    def add(self, token: int, piece: bytes, stops: tuple[str, ...]) -> bool:
        """Take a token and its text; true if the text ends there, one of `stops` cut off."""
        self.token = token
        self.text += piece
        if self.lookup:
            self.lookup.append(token)
        if self.guide:
            self.guide.accept(piece)
            if self.guide.ended:
                return True
        return bool(stops) and _cut(self.text, len(piece), stops)


def _cut(text: bytearray, fresh: int, stops: tuple[str, ...]) -> bool:
    """Cut `text`, whose last `fresh` bytes are new, at the first stop string in it."""
    found = []
    for stop in stops:
        wanted = stop.encode()
        at = text.find(wanted, max(0, len(text) - fresh - len(wanted) + 1))
        if at >= 0:
            found.append(at)
    if found:
        del text[min(found) :]
    return bool(found)
