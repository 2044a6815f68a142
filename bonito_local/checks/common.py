"""Checks of rows of every task type: something must be there, and nothing that does not belong."""

from __future__ import annotations

import re

from bonito_local.checks.answers import question_in
from bonito_local.checks.candidate import Candidate, Check
from bonito_local.checks.text import FUNCTION_WORDS, normalize, words
from bonito_local.passages.language import language
from bonito_local.tasks import CONTEXT, MARKERS, PIPE, TASK_TYPES

_LEAKS = tuple(marker for marker in MARKERS if marker != PIPE)
_TEMPLATE = re.compile(
    r"\{\{.{0,80}?\}\}|\{%.{0,80}?%\}|lorem ipsum|\[(?:insert|your|name of)\b", re.I
)
_EMPTY = frozenset("null nan undefined todo tbd n/a answer response output label".split())
_NAMES = frozenset(normalize(task.name) for task in TASK_TYPES)
_LATIN = re.compile(r"[A-Za-zªºÀ-ɏḀ-ỿﬀ-ﬆ]")
_LOOP = 4  # times in a row that something may not be said
_LONGEST_LOOP = 8  # words
_FEW = 12  # words that are too few to tell a language or a repetition by
_OTHER_SCRIPT = 0.2


def _leaks(row: Candidate) -> bool:
    return any(marker in row.completion for marker in _LEAKS)


def _only_passage(row: Candidate) -> bool:
    # Signs alone ask nothing; where there is no passage, the instruction is its own.
    bare = not any(char.isalnum() for char in row.asked)
    holds_it = bool(row.passage.strip()) and row.passage.strip() in row.instruction
    return row.instruction == row.passage.strip() or (bare and holds_it)


def _response_is_passage(row: Candidate) -> bool:
    return row.task.kind != "text_gen" and normalize(row.response) == normalize(row.passage)


def _repeats_instruction(row: Candidate) -> bool:
    return normalize(row.said) in (normalize(row.asked), normalize(row.instruction))


def _copied_prompt(row: Candidate) -> bool:
    return normalize(row.asked).strip(" .:") in _NAMES or normalize(row.said) in _NAMES


def _placeholder(row: Candidate) -> bool:
    if normalize(row.said).strip(" .[]<>()") in _EMPTY and row.said not in row.passage:
        return True
    if not any(char.isalnum() for char in row.response):
        return not ("★" in row.response or row.response in row.passage)
    found = (match.group() for match in _TEMPLATE.finditer(row.completion))
    return any(text != CONTEXT and text not in row.passage for text in found)


def _repeats(row: Candidate) -> bool:
    most = row.thresholds.repetition
    return any(repetitive(side, most, row.passage) for side in (row.asked, row.said))


def repetitive(text: str, most: float, passage: str = "") -> bool:
    """Whether a text says something over and over that the passage does not."""
    said = words(text)
    held = " ".join(words(passage))
    if " ".join(said) in held:
        return False
    for length in range(1, min(_LONGEST_LOOP, len(said) // _LOOP) + 1):
        run = 0
        for at in range(len(said) - length):
            run = run + 1 if said[at] == said[at + length] else 0
            if run == length * (_LOOP - 1):
                start = at + length + 1 - length * _LOOP
                if " ".join(said[start : at + length + 1]) not in held:
                    return True
    runs = list(zip(said, said[1:], said[2:], strict=False))
    return len(runs) >= _FEW and 1 - len(set(runs)) / len(runs) > most


def _other_language(row: Candidate) -> bool:
    if row.thresholds.language != "en":
        return False
    own = f"{row.asked} {row.said}"
    seen = set(row.passage)
    letters = [char for char in own if char.isalpha() and (char not in seen or _LATIN.match(char))]
    other = sum(1 for char in letters if not _LATIN.match(char))
    if len(letters) >= 10 and other > _OTHER_SCRIPT * len(letters):
        return True
    # A question may take over the language of its passage; names and figures stay as they are.
    if language(row.passage) not in ("", "en"):
        _, *rest = words(question_in(row.asked)) or ("",)
        if not FUNCTION_WORDS.intersection(rest):
            return True
    said = words(row.said)
    foreign = len(said) >= _FEW and not any(word in FUNCTION_WORDS for word in said)
    # A list or a copied span may do without function words; a passage shows whether it is one.
    held = set(words(row.passage))
    return foreign and sum(word in held for word in said) < len(said) / 2


def _long_instruction(row: Candidate) -> bool:
    return len(row.asked.split()) > row.thresholds.instruction_words


def _long_response(row: Candidate) -> bool:
    return len(row.said.split()) > row.thresholds.response_words


COMMON = (
    Check("empty instruction", (), lambda row: not row.instruction),
    Check("empty response", (), lambda row: not row.response),
    Check("leaked marker", (), _leaks),
    Check("instruction is only the passage", (), _only_passage),
    Check("response is only the passage", (), _response_is_passage),
    Check("response repeats the instruction", (), _repeats_instruction),
    Check("copied prompt", (), _copied_prompt),
    Check("placeholder text", (), _placeholder),
    Check("repeats itself", (), _repeats),
    Check("not English", (), _other_language),
    Check("instruction too long", (), _long_instruction),
    Check("response too long", (), _long_response),
)
