"""Coverage: which sentences of a job's passages its rows are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bonito_local.jobs.store import Store
from bonito_local.passages.sentences import Sentence, candidates


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a document became rows: of its `sentences`, `touched` have a row that counts.

    `missing` are the others, in order.
    """

    source: str
    sentences: int
    touched: int
    missing: tuple[str, ...]


def coverage(store: Store) -> Iterator[Coverage]:
    """Yield each document's coverage, by name.

    A sentence counts where it is worth a row (`candidates`). An accepted row touches the sentence
    that it is about; rows whose sentence the model chose touch none.
    """
    source, parts = "", list[tuple[list[Sentence], set[int]]]()
    for name, passage, starts in store.evidence():
        if name != source and parts:
            yield _document(source, parts)
            parts = []
        source = name
        whole = sorted(candidates(passage), key=lambda sentence: sentence.start)
        parts.append((whole, starts))
    if parts:
        yield _document(source, parts)


def _document(source: str, parts: list[tuple[list[Sentence], set[int]]]) -> Coverage:
    missing = tuple(
        sentence.text
        for whole, starts in parts
        for sentence in whole
        if sentence.start not in starts
    )
    count = sum(len(whole) for whole, _ in parts)
    return Coverage(source, count, count - len(missing), missing)
