"""Short passages: consecutive sentences of a paragraph, and the questions that they answer."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from questions import content, words
from sources import Paragraph, Question

SHORTEST, LONGEST = 30, 250  # words of a passage
_USUAL = (50, 110)
_LONG = 0.15  # of the passages are longer than usual
_TRIES = 4  # places in a paragraph; the one with most questions is taken
_TITLED, _WRAPPED = 0.12, 0.08
_SENTENCE = (6, 42)  # words of a sentence that is asked about
_WHOLE = re.compile(r"[\"'“(]?(?!\d+\. )[A-Z\d].*[.!?][\"'”)]?$")
_BROKEN = re.compile(r" [,;.>)]|[a-z)]{3}[.:!?] ?[A-Za-z]|[\[\]|]|\(\)")
_NAMED = re.compile(r"(?<!^)\b(?:[A-Z][\w'-]*|\d[\d,.]*\d|\d)")
_TOPIC_NOISE = re.compile(r"\(.*?\)|[^A-Za-z0-9 '&.-]")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, its answer, and the sentence that holds the answer."""

    question: str
    answer: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A text as it is shown, its sentences, and what people asked about them."""

    text: str
    sentences: tuple[str, ...]
    asked: tuple[Asked, ...]
    paragraph: Paragraph

    @property
    def by_people(self) -> bool:
        """Whether people asked about it, not rules."""
        return any(not q.free for q in self.paragraph.questions)

    def says(self, phrase: str) -> bool:
        """Whether the words of a phrase stand in the passage."""
        return phrase.lower() in " ".join(self.text.lower().split())


def cut(paragraph: Paragraph, rng: random.Random) -> Passage | None:
    """Return a passage of a paragraph; None where it is too short or too long.

    At times it stands under a heading or is hard-wrapped.
    """
    held = [(q, holder(paragraph, q)) for q in paragraph.questions]
    places = [at for _, at in held if at is not None] or list(range(len(paragraph.sentences)))
    most = rng.randint(_USUAL[1], LONGEST) if rng.random() < _LONG else rng.randint(*_USUAL)
    windows = [_window(paragraph.sentences, rng.choice(places), most, rng) for _ in range(_TRIES)]
    first, last = max(windows, key=lambda w: sum(w[0] <= at < w[1] for at in places))
    sentences = paragraph.sentences[first:last]
    text, chance = " ".join(sentences), rng.random()
    if not SHORTEST <= len(text.split()) <= LONGEST:
        return None
    title = topic_name(paragraph.group) if paragraph.source == "squad" else ""
    if chance < _TITLED and title:
        text = f"{title}\n\n{text}"
    elif _TITLED <= chance < _TITLED + _WRAPPED:
        text = _wrapped(text, rng.randint(60, 90))
    asked = [
        Asked(q.text, q.answer, paragraph.sentences[at])
        for q, at in held
        if at is not None and first <= at < last and _known(q.text, text)
    ]
    return Passage(text, sentences, tuple(asked), paragraph)


def whole(paragraph: Paragraph) -> Passage:
    """Return all of a paragraph, whose sentences nobody asks about: it has a summary."""
    return Passage(paragraph.text, (), (), paragraph)


def _window(sentences: Sequence[str], at: int, most: int, rng: random.Random) -> tuple[int, int]:
    """Return a range of sentences around one, of at most so many words."""
    first, last = at, at + 1
    size = len(sentences[at].split())
    while first > 0 or last < len(sentences):
        before = first > 0 and (last == len(sentences) or rng.random() < 0.5)
        size += len(sentences[first - 1 if before else last].split())
        if size > most and last - first > 1:
            break
        first, last = (first - 1, last) if before else (first, last + 1)
    return first, last


def holder(paragraph: Paragraph, question: Question) -> int | None:
    """Return the one sentence that holds the answer and speaks of what is asked."""
    asked = content(question.text)
    word = re.compile(rf"(?<!\w){re.escape(question.answer)}(?!\w)")
    shared = {
        at: len(asked & set(words(sentence)) - set(words(question.answer)))
        for at, sentence in enumerate(paragraph.sentences)
        if word.search(sentence)
    }
    if not shared:
        return None
    best = max(shared, key=shared.__getitem__)
    if sum(n >= shared[best] for n in shared.values()) > 1:
        return None
    enough = shared[best] >= 2 and shared[best] >= 0.3 * len(asked)
    return best if enough and is_evidence(paragraph.sentences[best]) else None


def is_evidence(sentence: str) -> bool:
    """Whether a sentence is whole, one sentence only, and short enough to ask about."""
    return (
        _SENTENCE[0] <= len(sentence.split()) <= _SENTENCE[1]
        and sentence.count('"') % 2 == 0
        and _WHOLE.match(sentence) is not None
        and _BROKEN.search(sentence) is None
    )


def _known(question: str, text: str) -> bool:
    """Whether a passage has the names and numbers of a question, and most of its words."""
    there, asked = set(words(text)), content(question)
    named = {word for name in _NAMED.findall(question) for word in words(name)}
    return named <= there and len(asked & there) >= 0.6 * len(asked)


def topic_name(group: str) -> str:
    """Return a document's title as people write it; empty where it is none."""
    name = _TOPIC_NOISE.sub("", group.replace("_", " ")).strip()
    return name if 2 < len(name) < 40 else ""


def _wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])
