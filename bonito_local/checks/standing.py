"""Checks of whether a question or a statement can be understood without its page."""

from __future__ import annotations

import re

from bonito_local.checks.answers import question_in
from bonito_local.checks.candidate import Candidate, Check
from bonito_local.checks.text import names, supports, words
from bonito_local.passages.sentences import sentences

_QUESTIONS = ("exqa", "qa", "ynqa", "mcqa")
_STATEMENTS = ("nli", "te")
_POINTS = re.compile(
    r"\b(?:this|these|those|here|above|below|aforementioned|mentioned|stated in|according to the"
    r"|the (?:text|passage|article|author|paragraph|sentence|narrator|writer|speaker|excerpt))\b",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"\b(?:I|[Ww]e|us|[Oo]urs?|[Mm]y|mine|me)\b|^(?:Did|Do|Have|Had|Were|Was|Are|Will) you\b"
)
_PRONOUN = re.compile(
    r"\b(?:he|she|they|him|her|his|them|their|its|it(?! (?:true|possible|necessary|allowed|required"
    r"|mandatory|recommended|important|legal|safe|take|mean|cost|that)\b))\b",
    re.IGNORECASE,
)
# "The text discusses ..." says what a text is about, not what it says.
_OF_TEXT = re.compile(r"(?:the|this) (?:text|passage|excerpt|author|narrator)\b", re.IGNORECASE)
_NEAR = 3  # words at the start, in which a pronoun can stand for nothing
_LONG = 8  # words of a sentence that is no short answer
_NOT_STATED = re.compile(r"\W*not stated\W*", re.IGNORECASE)
# How instructions are worded, not what they are about.
_WORDING = frozenset(
    "Statement Premise Hypothesis Claim Text Passage Context Question Answer Yes No Entailment "
    "Contradiction Neutral Is Does Can Options Label Compare Check Read".split()
)


def _subject(row: Candidate) -> str:
    """What is asked or claimed, without the wording around it where that can be told."""
    return question_in(row.asked) if row.task.kind in _QUESTIONS else row.asked


def points_outside(text: str) -> bool:
    """Whether a question or a statement points at what only its page shows."""
    if _POINTS.search(text) or _SPEAKER.search(text):
        return True
    start = " ".join(text.split()[: _NEAR + 1])
    return bool(_PRONOUN.search(start)) and not names(start)


def _points_outside(row: Candidate) -> bool:
    return bool(row.thresholds.stand_alone) and points_outside(question_in(row.asked))


def _speaks_of_text(row: Candidate) -> bool:
    return bool(row.thresholds.stand_alone and _OF_TEXT.match(row.response.strip()))


def _foreign_name(row: Candidate) -> bool:
    if not row.thresholds.stand_alone:
        return False
    source = f"{row.passage} {row.place}"
    return any(not supports(source, name) for name in names(_subject(row)) - _WORDING)


def _whole_sentence(row: Candidate) -> bool:
    if not row.thresholds.stand_alone:
        return False
    said = words(row.said)
    return len(said) >= _LONG and any(words(one.text) == said for one in sentences(row.passage))


def _not_stated(row: Candidate) -> bool:
    return bool(_NOT_STATED.fullmatch(row.said))


STANDING = (
    Check("question points outside itself", _QUESTIONS, _points_outside),
    Check("name not in the passage", (*_QUESTIONS, *_STATEMENTS), _foreign_name),
    Check("response is a whole sentence", ("exqa",), _whole_sentence),
    Check("summary speaks of its text", ("summarization",), _speaks_of_text),
    Check("response says that there is none", ("exqa", "qa", "mcqa"), _not_stated),
)
