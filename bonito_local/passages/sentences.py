"""Sentences: those of a passage that a row can be written about, the most promising first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

# Blank lines, headings, list items and rows of tables stand apart.
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*•#|]|\d{1,3}[.)]\s))|(?<=\|)\n")
_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]*[A-Z0-9À-Þ])")
_ABBREVIATED = re.compile(
    r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nos|Art|Sec|Fig|vs|cf|approx|Inc|Ltd|Co|Corp|Jr|Sr|U\.S"
    r"|e\.g|i\.e)\.$"
)
_MARK = re.compile(r"^(?:[-*•#>]+|\d{1,3}[.)]|\([a-z0-9]{1,3}\))\s+")
_NUMBERED = re.compile(r"[\d.]{1,8}\.|[A-Za-z]\.")
_POINTING = re.compile(
    r"(?:He|She|It|They|This|These|That|Those|Such|His|Her|Its|Their|We|Our|I|My|You|Your|If so"
    r"|However|But|And|Then|Here|There|Also)\b"
)
_PRONOUN = re.compile(
    r"\b(?:he|she|it|they|him|them|his|her|its|their|this|these|those|we|our|us|i|me|my)\b", re.I
)
_NAME = re.compile(r"(?<!^)\b[A-Z][\w'-]+")
_ENDS = '.!;:,)"”'  # a question asks, and a heading ends without a sign
_FEWEST, _MOST = 6, 60  # words of a sentence that says enough and not too much


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence on one line, and where it stands: `passage[start:end]`."""

    text: str
    start: int
    end: int


def sentences(passage: str) -> list[Sentence]:
    """Return all sentences, list items and lines of a passage, in order."""
    found = []
    for first, last in _blocks(passage):
        for start, end in _split(passage, first, last):
            text = " ".join(passage[start:end].split())
            mark = _MARK.match(text)
            if mark:
                text = text[mark.end() :]
            if text:
                found.append(Sentence(text, start, end))
    return found


def candidates(passage: str, *, alone: bool = False) -> list[Sentence]:
    """Return the sentences worth a row, the most promising first; any line where none is.

    A sentence with numbers and names has facts to ask about. One that begins with "it" or "this"
    leans on the one before it. With `alone`, only those without a pronoun count, if there are any.
    """
    return list(_ranked(passage, alone))


def leans(sentence: str) -> bool:
    """Whether a sentence has a pronoun, which may stand for something that only its page says."""
    return bool(_PRONOUN.search(sentence))


# A row's prompt, shape, text and checks ask for those of one passage, one after another.
@lru_cache(maxsize=256)
def _ranked(passage: str, alone: bool) -> tuple[Sentence, ...]:
    whole = sentences(passage)
    full = [
        s for s in whole if _FEWEST <= len(s.text.split()) <= _MOST and s.text[-1] in '.!;:,)"”'
    ]
    usable = full or [s for s in whole if len(s.text.split()) > 2] or whole
    if alone:
        usable = [s for s in usable if not leans(s.text)] or usable
    return tuple(sorted(usable, key=lambda s: -_promise(s.text)))


def _promise(text: str) -> float:
    words = text.split()
    facts = 2.0 * bool(re.search(r"\d", text)) + 0.5 * min(4, len(_NAME.findall(text)))
    length = min(len(words), 20) / 20
    return facts + length - 3 * bool(_POINTING.match(text)) - 2 * (text[-1] in ":,;")


def _blocks(passage: str) -> Iterator[tuple[int, int]]:
    at = 0
    for match in _BLOCK.finditer(passage):
        yield at, match.start()
        at = match.end()
    yield at, len(passage)


def _split(passage: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    at = first
    for match in _END.finditer(passage, first, last):
        begun = passage[at : match.start() + 1]
        if _ABBREVIATED.search(begun) or _NUMBERED.fullmatch(begun.strip()):
            continue
        yield from _trimmed(passage, at, match.end())
        at = match.end()
    yield from _trimmed(passage, at, last)


def _trimmed(passage: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = passage[start:end]
    if body := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(body)
