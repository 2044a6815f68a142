"""Contrast: a sentence with one thing changed, so that it is false where the sentence is true."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bonito_local.checks.text import words

_SPELLED = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
).split()
_MONTHS = (
    "January February March April June July August September October November December"
).split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_OPPOSITES = [
    pair.split("/")
    for pair in (
        "before/after increased/decreased increase/decrease "
        "increases/decreases "
        "higher/lower high/low larger/smaller longer/shorter first/last always/never "
        "included/excluded includes/excludes allowed/forbidden above/below "
        "morning/evening inside/outside open/closed public/secret early/late "
        "heavier/lighter better/worse accepted/refused "
        "improved/worsened positive/negative successful/unsuccessful written/spoken "
        "north/south east/west older/younger oldest/youngest"
    ).split()
]
_SWAPPED = {one: other for pair in _OPPOSITES for one, other in (pair, pair[::-1])}
_NUMBER = re.compile(
    r"(?<![\w.,/-])\d{1,3}(?:,\d{3})+(?![\w/])|(?<![\w.,/:-])\d+(?:\.\d+)?(?![\w:/]|\.\d)"
)
_NEGATED = re.compile(
    r"\b(is|are|was|were|has|have|had|may|must|can|could|will|would|shall|should|does|do|did) not\b"
)
_POSITIVE = re.compile(r"\b(is|are|was|were|may|must|can|could|will|would|shall|should)\b(?! not)")
_CLAUSE = re.compile(
    r"\b(?:if|when|unless|because|although|while|where|who|which|that|as|only|until)\b", re.I
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence with one thing changed: `old` was replaced by `new`."""

    text: str
    old: str
    new: str

    def kept(self, written: str) -> bool:
        """Return whether a text that was written from the sentence still has the change."""
        said = f" {' '.join(words(written))} "
        new, old = (f" {' '.join(words(text))} " for text in (self.new, self.old))
        if self.new in self.old:  # a negation that was dropped
            return " not " not in said and "n't" not in written
        if self.old in self.new:
            return " not " in said or "n't " in written
        return new in said and old not in said


def changed(
    sentence: str, passage: str, draw: random.Random, *, negate: bool = True
) -> Change | None:
    """Return a sentence with one thing changed that the passage does not say; None if none can be.

    A number, a month, a day of the week, a word with an opposite or a name becomes another, in
    that order of preference; else, with `negate`, the sentence is negated.
    """
    ways: tuple[Callable[[str, str, random.Random], Iterator[Change]], ...] = (
        _other_number,
        _other_word,
        _other_name,
    )
    for way in (*ways, _negated) if negate else ways:
        found = [one for one in way(sentence, passage, draw) if one.text != sentence]
        if found:
            return draw.choice(found)
    return None


def _other_number(sentence: str, passage: str, draw: random.Random) -> Iterator[Change]:
    for match in _NUMBER.finditer(sentence):
        other = _number(match[0], draw)
        if other != match[0] and not re.search(rf"(?<!\d){re.escape(other)}(?!\d)", passage):
            yield _with(sentence, match, other)
    for series in (_SPELLED, _MONTHS, _DAYS):
        for match in re.finditer(rf"\b(?:{'|'.join(series)})\b", sentence):
            left = [word for word in series if not re.search(rf"\b{word}\b", passage)]
            if left:
                yield _with(sentence, match, draw.choice(left))


def _number(text: str, draw: random.Random) -> str:
    """Another number of the same kind: a year near by, else one of the same size."""
    if "." in text:
        places = len(text.partition(".")[2])
        return f"{float(text) * draw.choice((0.5, 1.5, 2)):.{places}f}"
    value = int(text.replace(",", ""))
    if 1500 <= value <= 2100 and "," not in text:
        return str(value + draw.choice((-7, -4, -2, 2, 4, 5)))
    other = (
        value + draw.choice((1, 2, 3)) if value < 10 else round(value * draw.choice((0.5, 1.5, 2)))
    )
    return f"{other:,}" if "," in text else str(other)


def _other_word(sentence: str, passage: str, draw: random.Random) -> Iterator[Change]:
    for match in re.finditer(r"\b[a-z]+\b", sentence):
        other = _SWAPPED.get(match[0])
        if other and not re.search(rf"\b{other}\b", sentence):
            yield _with(sentence, match, other)


def _other_name(sentence: str, passage: str, draw: random.Random) -> Iterator[Change]:
    # A single word may be anything: of the "Doppler" of a method and a place nothing is said.
    held = {match[0] for match in _NAME.finditer(passage) if " " in match[0]}
    for match in _NAME.finditer(sentence):
        words_ = len(match[0].split())
        others = sorted(n for n in held if n not in sentence and len(n.split()) == words_)
        if others:
            yield _with(sentence, match, draw.choice(others))


def _negated(sentence: str, passage: str, draw: random.Random) -> Iterator[Change]:
    match = _NEGATED.search(sentence) or _POSITIVE.search(sentence)
    if match and not _CLAUSE.search(sentence, 0, match.start()):
        yield _with(sentence, match, match[1] if match.re is _NEGATED else f"{match[1]} not")


def _with(sentence: str, match: re.Match[str], text: str) -> Change:
    return Change(sentence[: match.start()] + text + sentence[match.end() :], match[0], text)
