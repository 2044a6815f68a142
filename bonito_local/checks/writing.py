"""Checks of text that is written: summaries, paraphrases, endings of sentences, free text."""

from __future__ import annotations

import re

from bonito_local.checks.candidate import Candidate, Check
from bonito_local.checks.options import chosen, find_options
from bonito_local.checks.text import content, digits, holds, names, numbers, supports, words

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def _not_shorter(row: Candidate) -> bool:
    return len(words(row.response)) >= row.thresholds.summary_share * len(words(row.passage))


def _foreign_number(row: Candidate) -> bool:
    return not digits(row.response) <= numbers(f"{row.passage} {row.asked}")


def _foreign_name(row: Candidate) -> bool:
    source = f"{row.passage} {row.asked}"
    return any(not supports(source, name) for name in names(row.response))


def _unrelated(row: Candidate) -> bool:
    about = content(row.said)
    return bool(about) and not about & content(f"{row.passage} {row.asked}")


def _same_words(row: Candidate) -> bool:
    """Whether a paraphrase is a sentence of its source, or all but the same words."""
    said = words(row.said)
    sources = [*_SENTENCE.split(row.passage), *_SENTENCE.split(row.asked), row.passage]
    most = row.thresholds.paraphrase_overlap
    for source in filter(None, map(words, sources)):
        union = set(said) | set(source)
        if said == source or (most < 1 and len(set(said) & set(source)) > most * len(union)):
            return True
    return False


def _no_ending(row: Candidate) -> bool:
    options = find_options(row.asked)
    return bool(options) and not chosen(options, row.response) and not holds(row.asked, row.said)


def _told_already(row: Candidate) -> bool:
    return not find_options(row.asked) and holds(row.asked, row.said)


WRITING = (
    Check("summary is not shorter than the passage", ("summarization",), _not_shorter),
    Check("number not in the passage", ("summarization", "paraphrase"), _foreign_number),
    Check("name not in the passage", ("summarization", "paraphrase"), _foreign_name),
    Check("paraphrase says the same words", ("paraphrase",), _same_words),
    Check("response is not one of the options", ("sent_comp",), _no_ending),
    Check("sentence holds its ending", ("sent_comp",), _told_already),
    Check(
        "response is not about the passage",
        ("summarization", "paraphrase", "text_gen"),
        _unrelated,
    ),
)
