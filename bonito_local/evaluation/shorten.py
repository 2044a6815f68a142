"""Passages that do not fit: the sentences nearest to the question stay, in their order.

Which those are depends on words alone and never on the right answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable

_SENTENCE = re.compile(r"\S.*?(?:(?=\n)|(?<=[.!?;])(?=\s)|\Z)", re.DOTALL)
_WORD = re.compile(r"\w{3,}")


def shorten(passage: str, question: str, room: int, count: Callable[[str], int]) -> str:
    """The passage within `room` tokens, as `count` counts them; unchanged where it fits.

    Sentences are taken by how much rarer words of the question they hold (the sum of their
    inverse frequencies among the sentences), the earlier of two equal ones first. Where the nearest
    alone does not fit, its beginning is all that stays.
    """
    if count(passage) <= room:
        return passage
    sentences = [found[0].strip() for found in _SENTENCE.finditer(passage)]
    held = [set(_WORD.findall(sentence.lower())) for sentence in sentences]
    common = Counter(word for words in held for word in words)
    asked = set(_WORD.findall(question.lower()))
    worth = [
        sum(math.log(1 + len(held) / common[word]) for word in sorted(words & asked))
        for words in held
    ]
    best = sorted(range(len(sentences)), key=lambda at: (-worth[at], at))
    if not best or count(sentences[best[0]]) > room:
        return _beginning(sentences[best[0]] if best else passage, room, count)
    kept, left = best[:1], room - count(sentences[best[0]])
    for at in best[1:]:
        need = count(sentences[at]) + 1  # what joins it
        if need <= left:
            kept.append(at)
            left -= need
    return " ".join(sentences[at] for at in sorted(kept))


def _beginning(text: str, room: int, count: Callable[[str], int]) -> str:
    """As many words of a text as fit."""
    words = text.split(" ")
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if count(" ".join(words[:middle])) <= room:
            low = middle
        else:
            high = middle - 1
    return " ".join(words[:low])
