"""Agreement: whether two answers to one question say the same."""

from __future__ import annotations

import re
from collections import Counter

from bonito_local.checks.text import FUNCTION_WORDS, numbers, words

_LEAST = 0.5  # token F1, as SQuAD counts it, from which two answers are the same
_NOTHING = re.compile(r"\W*not stated\b", re.IGNORECASE)


def agree(first: str, second: str, question: str = "") -> bool:
    """Return whether two answers share most of their words, and all numbers of the shorter one.

    Words of the question and function words do not count where others are left.
    """
    if _NOTHING.match(second) and not _NOTHING.match(first):
        return False
    given = set(words(question)) | FUNCTION_WORDS
    one, two = _words(first, given), _words(second, given)
    shared = sum((one & two).values())
    if not shared:
        return False
    shorter = min(one, two, key=lambda counted: counted.total())
    text = " ".join(shorter)
    other = second if shorter is one else first
    if not numbers(text) <= numbers(other):
        return False
    f1 = 2 * shared / (one.total() + two.total())
    return f1 >= _LEAST or shared == shorter.total()


def _words(text: str, given: set[str]) -> Counter[str]:
    own = [word for word in words(text) if word not in given]
    return Counter(own or words(text))
