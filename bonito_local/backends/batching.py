"""Which rows are computed together, for engines whose batches are padded to the longest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from bonito_local.backends.base import Completion, Request, Sample, too_long

_AHEAD = 4  # batches' worth of rows are pulled, and sorted by length


@dataclass(frozen=True, slots=True)
class Row:
    """A sample to draw: its request, the prompt's tokens, and the most tokens to draw."""

    request: Request
    sample: Sample
    tokens: list[int]
    limit: int

    @property
    def need(self) -> int:
        """The most tokens it can come to hold."""
        return len(self.tokens) + self.limit


def batches(
    requests: Iterable[Request],
    encode: Callable[[str], list[int]],
    context: int,
    rows: int,
    cells: int,
) -> Iterator[list[Row] | Completion]:
    """Yield batches of at most `rows` rows whose padded length fits in `cells` tokens.

    Rows of like length go together, samples of a prompt beside each other. A prompt
    that does not fit `context` comes as failed completions instead.
    """
    pulled = iter(requests)
    while True:
        window: list[Row] = []
        # One request at a time: what is not pulled can still be left out.
        while len(window) < _AHEAD * rows and (some := list(islice(pulled, 1))):
            for ready in _rows(some[0], encode(some[0].prompt), context):
                if isinstance(ready, Completion):
                    yield ready
                else:
                    window.append(ready)
        if not window:
            return
        # Longest first: what does not fit in memory shows at once.
        window.sort(key=lambda row: len(row.tokens), reverse=True)
        yield from pack(window, rows, cells)


def pack(window: Iterable[Row], rows: int, cells: int) -> Iterator[list[Row]]:
    """Cut rows, in order, into batches; a row too large for `cells` goes alone."""
    batch: list[Row] = []
    longest = 0
    for row in window:
        need = max(longest, row.need)
        if batch and (len(batch) == rows or need * (len(batch) + 1) > cells):
            yield batch
            batch, need = [], row.need
        batch.append(row)
        longest = need
    if batch:
        yield batch


def _rows(request: Request, tokens: list[int], context: int) -> Iterator[Row | Completion]:
    room = context - len(tokens)
    for sample in request.samples:
        if room < 1:
            yield too_long(request, sample.index, len(tokens), context)
        else:
            yield Row(request, sample, tokens, min(request.sampling.max_tokens, room))


def cut_at_stop(text: str, stops: tuple[str, ...]) -> str | None:
    """Return `text` up to the first stop string in it; None if there is none."""
    found = [at for at in map(text.find, stops) if at >= 0]
    return text[: min(found)] if found else None
