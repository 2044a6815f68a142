"""The mix: groups of rows on one passage, the evidence of each before its question.

The rows of a group share their prompt, so that the trainer computes their passage once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules import Rules
from shares import Shares
from sources import Paragraph
from statements import Verbs
from windows import cut, whole
from writers import Balance, Row, Writer

# Groups per kind of paragraph, out of 100; those with a summary come when one is wanted.
_KINDS = {"squad": 87, "tatqa": 4, "policies": 6, "reports": 3}
_FEWEST = {"squad": 4, "summarized": 1}  # rows worth a passage's tokens; 2 elsewhere
_MOST_TRIES = 20_000  # paragraphs tried for one group


@dataclass(frozen=True, slots=True)
class Corpus:
    """What rows are drawn from: paragraphs of each kind, and what rules know of words."""

    paragraphs: Mapping[str, Sequence[Paragraph]]
    rules: Rules
    verbs: Verbs


@dataclass(frozen=True, slots=True)
class Group:
    """Rows on one passage."""

    passage: str
    rows: tuple[Row, ...]
    source: str


class Mixture:
    """Draws groups without end, deterministic by seed."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self._paragraphs, self._rng = corpus.paragraphs, random.Random(seed)
        every = [p for some in corpus.paragraphs.values() for p in some]
        self._writer = Writer(every, corpus.rules, corpus.verbs, self._rng)
        self._kinds = Shares({k: n for k, n in _KINDS.items() if corpus.paragraphs[k]})
        self._balance = Balance()
        self._decks: dict[str, Iterator[Paragraph]] = {}
        self.skipped: Counter[str] = Counter()

    def groups(self) -> Iterator[Group]:
        """Yield groups; every pass over the paragraphs is in an order of its own."""
        while True:
            kind = "summarized"
            if self._balance.tasks.order()[0] != "summarization":
                kind = self._kinds.order()[0]
                self._kinds.add(kind)
            for _ in range(_MOST_TRIES):
                group = self._draw(kind)
                if group is not None:
                    break
                self.skipped[kind] += 1
            else:
                raise ValueError(f"The data holds nothing to make rows of: {kind}.")
            yield group

    def _draw(self, kind: str) -> Group | None:
        paragraph = self._next(kind)
        passage = whole(paragraph) if kind == "summarized" else cut(paragraph, self._rng)
        if passage is None:
            return None
        balance = self._balance.copy()
        rows = self._writer.rows(passage, balance)
        if len(rows) < _FEWEST.get(kind, 2):
            return None
        self._balance = balance
        return Group(passage.text, tuple(rows), paragraph.source)

    def _next(self, kind: str) -> Paragraph:
        paragraph = next(self._decks.get(kind, iter(())), None)
        if paragraph is None:
            order = list(self._paragraphs[kind])
            self._decks[kind] = iter(self._rng.sample(order, len(order)))
            paragraph = next(self._decks[kind])
        return paragraph
