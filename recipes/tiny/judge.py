"""What its passage alone can say about a completion: what is wrong with it, if anything."""

from __future__ import annotations

import re

from sources import sentences

from bonito_local.tasks import CONTEXT, PIPE, Pair, parse_completion

_FILLER = frozenset(
    "a an the of in on at to for by with from and or as is are was were be been do does did has "
    "have had what who whom whose when where which why how many much it its that this yes no "
    "name kind there not must can will may should would could question answer".split()
)
_SLIGHT = frozenset({"other words", "length"})
GRAVE = 2
_YES_NO = frozenset({"yes", "no"})


def fault(completion: str, task: str, passage: str) -> str | None:
    """What is wrong with a completion, in a word or two; None for a sound one.

    A sound one parses, shows its passage and asks one question. exqa: it is answered by a short
    span that the question does not hold, from a sentence with nearly all of the question's words.
    ynqa: by yes or no, and asks in words of the passage. Of other task types: it parses.
    """
    pair = parse_completion(completion, passage)
    if pair is None:
        return "unparsed"
    if task not in ("exqa", "ynqa"):
        return None
    if CONTEXT not in completion.split(PIPE)[0]:
        return "no passage"
    question, response = question_of(pair), pair.response
    asked = content_words(question or "")
    if question is None or not 2 <= len(asked) <= 14 or len(set(asked)) < 0.7 * len(asked):
        return "no question"
    if task == "ynqa":
        held = set(content_words(passage))
        if response not in _YES_NO:
            return "label"
        return "other words" if sum(w not in held for w in asked) > 1 else None
    if not re.search(rf"(?<!\w){re.escape(response)}(?!\w)", passage):
        return "not verbatim"
    if len(response.split()) > 8 or not content_words(response):
        return "length"
    if response.lower() in question.lower():
        return "answered"
    return "other words" if missing_words(asked, response, passage) > 1 else None


def cut_to_span(completion: str, passage: str) -> str | None:
    """The completion with its response ended before it leaves the passage, or None."""
    head, _, response = completion.rpartition(PIPE)
    words = response.split()[:8]
    while words:
        cut = f"{head}{PIPE}\n" + re.sub(r"\W+$", "", " ".join(words))
        whole = words.pop().lower() not in _FILLER
        if whole and cut != completion and fault(cut, "exqa", passage) in (None, "other words"):
            return cut
    return None


def severity(fault: str | None) -> int:
    """0 for a sound completion, 1 for one that is poor, `GRAVE` for one that is wrong."""
    return 0 if fault is None else 1 if fault in _SLIGHT else GRAVE


def content_words(text: str) -> list[str]:
    """Words that carry meaning, cut to their first five letters."""
    return [w[:5] for w in re.findall(r"[\w']+", text.lower()) if w not in _FILLER]


def question_of(pair: Pair) -> str | None:
    """The question that ends an instruction of this recipe's templates, if one does."""
    line = pair.instruction.rstrip().rsplit("\n", 1)[-1].removesuffix("Yes or no?").strip()
    text = re.split(r"(?:[Qq]uestion:|span of the text\.|yes or no:)", line)[-1].strip()
    return text if text.endswith("?") and text.count("?") == 1 else None


def missing_words(asked: list[str], response: str, passage: str) -> int:
    """Fewest of the asked words that a sentence holding the response lacks."""
    held = [set(content_words(s)) for s in sentences(passage) if response in s]
    return min((sum(w not in words for w in asked) for words in held), default=len(asked))
