"""Reasoning: what a model says before it answers a row's question, and whether it is kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bonito_local.backends.thoughts import split, without_lead
from bonito_local.checks.text import content, digits, names, numbers, supports
from bonito_local.writing.claims import NOT_STATED, VERDICTS
from bonito_local.writing.writer import Assignment, Claim

REASONING = "Reasoning:"
TOKENS = 128  # the most that the reasoning may take
_MOST_WORDS = 120  # of a thought, for which servers leave more room
_ANSWER = re.compile(r"^[ *#-]*Answer[*]*:[*]*", re.IGNORECASE | re.MULTILINE)
_VERDICT = re.compile(
    r"\b(?:statement|answer)(?: to the question)? is (?:therefore |thus )?"
    r"\W?(true|false|yes|no|not stated)\b",
    re.IGNORECASE,
)
# Words that say nothing of why an answer is right.
_EMPTY = content(
    f"answer question statement text passage says states so yes no true false {NOT_STATED}"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a claim's answer was asked for again: the reasoning, and the answer.

    Each is empty where the model did not come to it.
    """

    reasoning: str
    answer: str


def read(written: str) -> Reading:
    """Return the reasoning and the answer of a completion that was begun with `REASONING`.

    A model that thinks, and then answers without a line of reasoning, has its thought for one.
    """
    parts = split(written)
    lines = without_lead(parts.answer, REASONING)
    found = _ANSWER.search(lines)
    if not found:
        return Reading(_line(lines), "")
    reasoning = _line(lines[: found.start()]) or _line(parts.thought)
    answer = lines[found.end() :].strip().partition("\n")[0]
    return Reading(reasoning, answer.strip(" *"))


def kept(reasoning: str, claim: Claim, assignment: Assignment) -> str | None:
    """Return a reasoning that leads from the passage to a claim's answer; None for others.

    It says more than the answer, speaks of the passage, has no number and no name that neither the
    passage nor the claim has, comes to the answer where that is a text, and to no other verdict.
    """
    own = f"{assignment.passage} {assignment.heading} {claim.text} {claim.answer}"
    about, answer = content(reasoning), content(claim.answer)
    if not about - answer - _EMPTY or not about & content(own):
        return None
    if len(reasoning.split()) > _MOST_WORDS or not digits(reasoning) <= numbers(own):
        return None
    if not all(supports(own, name) for name in names(reasoning)):
        return None
    if any(verdict.lower() != claim.answer.lower() for verdict in _VERDICT.findall(reasoning)):
        return None
    free = claim.kind not in VERDICTS and claim.answer != NOT_STATED
    comes = about & answer or numbers(reasoning) & numbers(claim.answer)  # nine, or 9
    return None if free and answer and not comes else reasoning


def _line(text: str) -> str:
    return " ".join(text.split())
