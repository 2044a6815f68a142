"""Contrast: a sentence with one thing changed, so that it is false where the sentence is true."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
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
# "Within two minutes" is true of eight as well: what is beyond a bound need not be false.
_BOUND = re.compile(
    r"\b(?:within|up to|at (?:most|least)|than|over|under|above|below|before|after|by|until|since"
    r"|maximum of|minimum of|about|around|approximately|nearly|almost)\W+(?:\w+\W+)?$",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'-]+(?: [A-Z][\w'-]+)*")

# Where something is replaced, and by what.
_Edits = Iterator[tuple[re.Match[str], str]]


@dataclass(frozen=True, slots=True)
class Change:
    """A sentence with one thing changed: `old` was replaced by `new`."""

    text: str
    old: str
    new: str

    @property
    def negates(self) -> bool:
        """Whether nothing but a "not" was added or taken away."""
        return f"{self.old} not" == self.new or self.old == f"{self.new} not"

    def kept(self, written: str) -> bool:
        """Return whether a text that was written from the sentence still has the change."""
        said = f" {' '.join(words(written))} "
        new, old = (f" {' '.join(words(text))} " for text in (self.new, self.old))
        if self.negates:
            negative = " not " in said or "n't " in written
            return negative == self.new.endswith(" not")
        return new in said and old not in said


def changes(sentence: str, passage: str, draw: random.Random) -> list[Change]:
    """Return the sentence with one thing changed that the passage does not say, in several ways.

    First numbers, months, days of the week and words with an opposite become others, from left to
    right; then names, then what stands in parentheses; last the sentence is negated. The further
    back, the more easily a model loses the change when it writes a question of it. Bounds
    ("within 3 days") stay as they are.
    """
    ways = (_other_number, _other_word, _other_name)
    aside = [range(*match.span()) for match in _ASIDE.finditer(sentence)]
    made = [
        (any(match.start() in span for span in aside), way is _other_name, match, new)
        for way in ways
        for match, new in way(sentence, passage, draw)
        if new != match[0]
        and not (way is _other_number and _BOUND.search(sentence[: match.start()]))
    ]
    made.sort(key=lambda one: (*one[:2], one[2].start()))
    edits = [(match, new) for *_, match, new in made]
    return [_with(sentence, match, new) for match, new in (*edits, *_negated(sentence))]


def _other_number(sentence: str, passage: str, draw: random.Random) -> _Edits:
    for match in _NUMBER.finditer(sentence):
        other = _number(match[0], draw)
        if other != match[0] and not re.search(rf"(?<!\d){re.escape(other)}(?!\d)", passage):
            yield match, other
    for series in (_SPELLED, _MONTHS, _DAYS):
        for match in re.finditer(rf"\b(?:{'|'.join(series)})\b", sentence):
            left = [word for word in series if not re.search(rf"\b{word}\b", passage)]
            if left:
                yield match, draw.choice(left)


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


def _other_word(sentence: str, passage: str, draw: random.Random) -> _Edits:
    for match in re.finditer(r"\b[a-z]+\b", sentence):
        other = _SWAPPED.get(match[0])
        if other and not re.search(rf"\b{other}\b", sentence):
            yield match, other


def _other_name(sentence: str, passage: str, draw: random.Random) -> _Edits:
    # A single word may be anything: of the "Doppler" of a method and a place nothing is said.
    held = {match[0] for match in _NAME.finditer(passage) if " " in match[0]}
    for match in _NAME.finditer(sentence):
        words_ = len(match[0].split())
        others = sorted(n for n in held if n not in sentence and len(n.split()) == words_)
        if others:
            yield match, draw.choice(others)


def _negated(sentence: str) -> _Edits:
    match = _NEGATED.search(sentence) or _POSITIVE.search(sentence)
    if match and not _CLAUSE.search(sentence, 0, match.start()):
        yield match, match[1] if match.re is _NEGATED else f"{match[1]} not"


def _with(sentence: str, match: re.Match[str], text: str) -> Change:
    return Change(sentence[: match.start()] + text + sentence[match.end() :], match[0], text)
