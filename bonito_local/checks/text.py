"""Text as the checks compare it: folded, cut into words, with the numbers and names it holds."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from bonito_local.tasks import CONTEXT, defuse

_WORD = re.compile(r"[^\W_]+(?:['’.,\-][^\W_]+)*")
_NUMBER = re.compile(r"(?<![^\W\d_])\d+(?:,\d{3})*(?:\.\d+)?")
_NAME = re.compile(r"(?<=[^\s.!?:;\"“(\n] )[A-Z][\w'’\-]+")
_SPELLED = {
    word: str(at)
    for at, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
} | {
    word: str(10 * at)
    for at, word in enumerate("thirty forty fifty sixty seventy eighty ninety hundred".split(), 3)
}
# Words that say nothing of what a text is about.
FUNCTION_WORDS = frozenset(
    "a an the this that these those it its he she they them his her their we you your i my our us "
    "me who whom whose which what when where why how is are was were be been being am do does did "
    "has have had can could will would shall should may might must not no nor and or but if then "
    "than so as of in on at by for with from to into onto out up down over under about after "
    "before between during through against within without there here all any each every some "
    "such only own same too very just also more most other another".split()
)


# Of a row's texts, and its passage's, several checks ask the same.
@lru_cache(maxsize=64)
def normalize(text: str) -> str:
    """Fold case, compatibility forms and runs of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


@lru_cache(maxsize=64)
def words(text: str) -> tuple[str, ...]:
    """The words of a text, folded, without the signs around them."""
    return tuple(_WORD.findall(normalize(text).replace("’", "'")))


@lru_cache(maxsize=64)
def content(text: str) -> frozenset[str]:
    """What a text is about: its words but for function words, without their endings."""
    return frozenset(_stem(word) for word in words(text) if word not in FUNCTION_WORDS)


def holds(text: str, part: str) -> bool:
    """Whether `part` stands in `text`, word for word; no words stand nowhere."""
    wanted = words(part)
    return bool(wanted) and f" {' '.join(wanted)} " in f" {' '.join(words(text))} "


def without_passage(text: str, passage: str) -> str:
    """A side of a completion without the passage, whether referred to or written out."""
    text = text.replace(CONTEXT, " ")
    for copy in (passage.strip(), defuse(passage.strip())):
        if copy:
            text = text.replace(copy, " ")
    return text.strip()


def numbers(text: str) -> set[str]:
    """The numbers of a text in one form, those in digits and those in words up to ninety."""
    found = {number.replace(",", "") for number in _NUMBER.findall(text)}
    spelled = {
        _SPELLED[part] for word in words(text) for part in word.split("-") if part in _SPELLED
    }
    return found | spelled


def digits(text: str) -> set[str]:
    """The numbers that stand in a text in digits."""
    return {number.replace(",", "") for number in _NUMBER.findall(text)}


def names(text: str) -> set[str]:
    """Words with a capital letter that do not begin a sentence."""
    return set(_NAME.findall(text))


def supports(passage: str, name: str) -> bool:
    """Whether a name stands in a passage, in some form: possessive, plural, or as initials."""
    held = words(passage)
    name = name.replace("’", "'").removesuffix("'s").rstrip("'")
    folded = normalize(name)
    stem = folded[: max(4, len(folded) - 2)]
    if any(word.startswith(stem) for word in held):
        return True
    parts = folded.split("-")
    if len(parts) > 1 and all(any(word.startswith(part) for word in held) for part in parts):
        return True
    return name.isupper() and folded in "".join(word[0] for word in held)


def _stem(word: str) -> str:
    """Cut the usual endings of English off; words that differ in them become alike."""
    word = word.removesuffix("'s")
    for ending in ("ing", "ies", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending).removesuffix("e")
    return word.removesuffix("e") if len(word) > 4 else word
