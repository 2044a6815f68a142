"""Which of the questions that people wrote can be understood without their page.

Two tests: a question points at nothing outside itself, and it leads back to its own paragraph
among all paragraphs of its collection (BM25).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rules import Clause, Rules

_POINTS = re.compile(
    r"\b(?:this|these|those|here|above|below|following|mentioned|article|passage|paragraph|text|"
    r"author|writer|aforementioned|said|former|latter)\b",
    re.I,
)
_PRONOUN = re.compile(r"\b(?:he|she|it|they|him|her|his|hers|its|their|them|we|our|us|you)\b", re.I)
_NAMED = re.compile(r"(?<!^)\b[A-Z][\w'-]+")
_ASKS = re.compile(
    r"(?:[\w'-]+,? ){0,2}(?:what|who|whom|whose|which|when|where|why|how)\b.*\?$", re.I
)
_ASKED = re.compile(
    r"\b(?:(?:what|which) (?:year|date|day|month)|how \w+|wh(?:at|om?|ose|ich|en|ere|y))\b", re.I
)
_POINTING = frozenset(
    "One Another Our Your We You I It Its This That These Those They Their He She His Her Such "
    "Both No Once Only Usually Generally Additionally Currently Each Neither Either Other Some "
    "Here There".split()
)
_WORD = re.compile(r"[a-z0-9]+")
_ASKING = frozenset(
    "what who whom whose which when where why how is are was were do does did the a an of in on at "
    "to for by with from and or as be been has had have can could will would many much name there "
    "that it its".split()
)


def stands_alone(question: str) -> bool:
    """Whether a question points at nothing outside itself."""
    if not 4 <= len(question.split()) <= 25 or question.count("?") != 1:
        return False
    if not _ASKS.match(question):
        return False
    if _POINTS.search(question):
        return False
    pronoun = _PRONOUN.search(question)
    named = _NAMED.search(question)
    # "When did Darwin publish his book?" is clear; "When did he publish it?" is not.
    if pronoun and not (named and named.start() < pronoun.start()):
        return False
    return len(content(question)) >= 2


def is_spelt(question: str, known: set[str]) -> bool:
    """Whether all words are known: people mistype in a question what stands right in the text."""
    return set(letters(question)) - _ASKING <= known


def letters(text: str) -> list[str]:
    """Words of letters, in lower case."""
    return re.findall(r"[a-z]+", text.lower())


def asks_for(question: str) -> str:
    """Return the word that a question asks with: who, where, how many."""
    found = _ASKED.search(question)
    word = " ".join(found[0].lower().split()) if found else ""
    return {"which": "what", "whom": "who", "when": "what year"}.get(word, word)


def plain_clause(rules: Rules, sentence: str) -> Clause | None:
    """Return a sentence as a clause, where its subject can be understood by itself."""
    clause = rules.clause(sentence)
    if clause is None:
        return None
    first, *others = clause.subject.split()
    names = any(word[0].isupper() or word.title() in _POINTING for word in others)
    if first in _POINTING or names or re.match(r"(?:not|that|to) ", clause.rest):
        return None
    in_number = re.search(r"\d,\d", clause.rest)
    return clause if in_number else rules.shorten(clause)


def content(question: str) -> set[str]:
    """Words of a question that say what it is about, cut to a common stem."""
    return set(words(question)) - _ASKING


def words(text: str) -> list[str]:
    """Folded words, cut to a common stem."""
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


class Index:
    """BM25 over texts (k1 1.2, b 0.75; Robertson and Zaragoza 2009)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        lengths = np.array([sum(c.values()) for c in counts], np.float32)
        self._size = len(texts)
        norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
        postings: dict[str, tuple[list[int], list[int]]] = {}
        for at, count in enumerate(counts):
            for word, times in count.items():
                holders, weights = postings.setdefault(word, ([], []))
                holders.append(at)
                weights.append(times)
        self._postings: dict[str, tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = {}
        for word, (holders, weights) in postings.items():
            at_ = np.array(holders, np.int32)
            times_ = np.array(weights, np.float32)
            idf = math.log(1 + (self._size - len(at_) + 0.5) / (len(at_) + 0.5))
            self._postings[word] = (
                at_,
                (idf * 2.2 * times_ / (times_ + norm[at_])).astype(np.float32),
            )

    def rank(self, question: str, at: int) -> int:
        """Return the place of text `at` among the answers to a search, from 1 on."""
        scores = np.zeros(self._size, np.float32)
        for word in content(question):
            if word in self._postings:
                holders, weights = self._postings[word]
                scores[holders] += weights
        return int((scores > scores[at]).sum()) + 1 if scores[at] > 0 else self._size
