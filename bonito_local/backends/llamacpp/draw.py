"""What a live sample has drawn so far, and how its next token is picked from the logits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bonito_local.backends.llamacpp.bindings import Handle, lib
from bonito_local.backends.llamacpp.context import Context
from bonito_local.backends.llamacpp.guide import Guide
from bonito_local.backends.llamacpp.lookup import Lookup

_WORTH_THREADS = 1 << 17  # logits to pick from


@dataclass(slots=True)
class Draw:
    """A sample's chain of samplers, its last token, its text, and how many tokens that is."""

    sampler: Handle
    token: int
    guide: Guide | None
    lookup: Lookup | None
    draft: list[int] = field(default_factory=list)
    count: int = 0
    text: bytearray = field(default_factory=bytearray)

    def add(self, token: int, piece: bytes, stops: tuple[str, ...]) -> bool:
        """Take a token and its text; true if one of `stops` was met, and cut off."""
        self.token = token
        self.text += piece
        if self.lookup:
            self.lookup.append(token)
        if self.guide:
            self.guide.accept(piece)
        return bool(stops) and _cut(self.text, len(piece), stops)


class Picker:
    """Picks tokens with the samplers, in threads where there is much to do.

    What is picked depends on a sample's seed and logits alone, never on the threads.
    """

    def __init__(self, context: Context, threads: int) -> None:
        self._context = context
        self._threads = threads
        self._pool = ThreadPoolExecutor(max(1, threads - 1), "picking")

    def pick(self, draws: list[Draw], rows: list[int]) -> list[int]:
        """The next token of each, from its row of the last step's logits."""
        for draw, row in zip(draws, rows, strict=True):
            if draw.guide:
                draw.guide.mask(self._context.logits(row))
        size = len(draws)
        if size * self._context.model.vocabulary_size >= _WORTH_THREADS:
            # Puts the logits in order, so that nothing but reading is left for the threads.
            self._context.logits(rows[0])
            size = -(-size // self._threads)
        parts = [(draws[i : i + size], rows[i : i + size]) for i in range(0, len(draws), size)]
        others = [self._pool.submit(self._pick, *part) for part in parts[1:]]
        return sum((other.result() for other in others), self._pick(*parts[0]))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _pick(self, draws: list[Draw], rows: list[int]) -> list[int]:
        handle, pick = self._context.handle, lib.llama_sampler_sample
        return [pick(draw.sampler, handle, row) for draw, row in zip(draws, rows, strict=True)]


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
