"""Checks of questions and their answers: exqa, mcqa, qa, qg, coref."""

from __future__ import annotations

import re

from bonito_local.checks.candidate import Candidate, Check
from bonito_local.checks.options import chosen, find_options
from bonito_local.checks.text import content, digits, holds, normalize, numbers, words
from bonito_local.passages.sentences import sentences
from bonito_local.tasks import defuse

_ASKING = frozenset(
    "what who whom whose which when where why how is are was were do does did can could will would "
    "should has have had may must name find extract give list identify tell state answer question "
    "choose pick select determine explain describe complete point quote copy decide if whether "
    "much many".split()
)
_ANSWER = re.compile(
    r"\banswers?\b[^:\"“\n]{0,30}(?:\bis\b|:)\s*[\"“']?((?:(?!\. )[^\"”'\n?]){2,80})", re.IGNORECASE
)
_OPEN = frozenset(
    "a an the of to for with from by and or but because your my his her their our its as".split()
)
_PRONOUNS = frozenset("i you he she it we they me him her us them".split())
_FEW = 20  # words of a passage of which a short answer may well be most


def in_passage(text: str, passage: str) -> bool:
    """Whether a text stands in the passage, but for case and white space."""
    # The model saw the passage with its markers broken up, and may copy it so.
    wanted = normalize(text)
    return wanted in normalize(passage) or wanted in normalize(defuse(passage))


def question_in(asked: str) -> str:
    """Return the question of an instruction without its passage; all of it where it asks none."""
    parts = [sentence.text for line in asked.split("\n") for sentence in sentences(line)]
    parts = [part for whole in parts for part in re.split(r": |(?<=\?)\s", whole)]
    questions = [part for part in parts if part.endswith("?") and part.strip(" \t?")]
    # "Is it new? Yes or no?" asks the longer of the two.
    return max(questions, key=len).strip() if questions else asked.strip()


def _not_span(row: Candidate) -> bool:
    return not in_passage(row.response, row.passage)


def _cut_word(row: Candidate) -> bool:
    wanted = normalize(row.response)
    before = r"(?<!\w)" if wanted[:1].isalnum() else ""
    after = r"(?!\w)" if wanted[-1:].isalnum() else ""
    whole = re.compile(f"{before}{re.escape(wanted)}{after}")
    shown = (normalize(row.passage), normalize(defuse(row.passage)))
    return any(wanted in text for text in shown) and not any(whole.search(text) for text in shown)


def _asks_nothing(row: Candidate) -> bool:
    return "?" not in row.asked and not _ASKING.intersection(words(row.asked))


def _holds_answer(row: Candidate) -> bool:
    return bool(content(row.said)) and holds(row.asked, row.said)


def _says_nothing(row: Candidate) -> bool:
    said = words(row.said)
    # "I" and "they" name someone, where the passage says no more.
    return bool(said) and not content(row.said) and not _PRONOUNS.intersection(said)


def _breaks_off(row: Candidate) -> bool:
    said = words(row.said)
    return bool(said) and said[-1] in _OPEN


def _far_question(row: Candidate) -> bool:
    if not row.thresholds.question_overlap:
        return False
    about = content(question_in(row.asked))
    held = about & content(row.passage)
    return bool(about) and len(held) < row.thresholds.question_overlap * len(about)


def _long_answer(row: Candidate) -> bool:
    return len(row.said.split()) > row.thresholds.answer_words


def _most_of_passage(row: Candidate) -> bool:
    whole = len(row.passage.split())
    return whole >= _FEW and len(row.response.split()) > row.thresholds.answer_share * whole


def _question(text: str) -> bool:
    return text.rstrip(" \"'”’)").endswith("?")


def _foreign_number(row: Candidate) -> bool:
    return not digits(row.said) <= numbers(f"{row.passage} {row.asked}")


def _unrelated(row: Candidate) -> bool:
    about = content(row.said)
    return bool(about) and not about & content(row.passage)


def _same_options(row: Candidate) -> bool:
    """Whether an option is another's text, or has no word that another has not.

    Of "distance" and "distance between points" both may be right.
    """
    texts = [text for _, text in find_options(row.asked) if text]
    held = [content(text) for text in texts]
    within = any(one and one < other for one in held for other in held)
    return within or len(set(texts)) < len(texts)


def _no_option(row: Candidate) -> bool:
    options = find_options(row.asked)
    if options and chosen(options, row.response):
        return False
    # Options in running text ("was it red, or rather blue?") are not found: any of it will do.
    return bool(options) or len(row.said) < 2 or not holds(row.asked, row.said)


def _wanted(row: Candidate) -> str:
    """The answer that an instruction asks to write a question for, where it names one."""
    found = _ANSWER.search(row.asked)
    return found.group(1).strip(" .") if found else ""


def _answer_elsewhere(row: Candidate) -> bool:
    wanted = _wanted(row)
    return bool(wanted) and not holds(row.passage, wanted)


def _question_tells(row: Candidate) -> bool:
    wanted = _wanted(row)
    return bool(wanted) and holds(row.said, wanted)


def _unknown_referent(row: Candidate) -> bool:
    if normalize(row.said).strip(" .!") in ("yes", "no", "true", "false"):
        return False
    return not (holds(row.passage, row.response) or holds(row.asked, row.response))


ANSWERS = (
    Check("asks nothing", ("exqa", "qa", "mcqa", "ynqa"), _asks_nothing),
    Check("response is not in the passage", ("exqa",), _not_span),
    Check("response cuts a word of the passage", ("exqa",), _cut_word),
    Check("question holds its answer", ("exqa",), _holds_answer),
    Check("response says nothing", ("exqa",), _says_nothing),
    Check("response breaks off", ("exqa",), _breaks_off),
    Check("response is most of the passage", ("exqa",), _most_of_passage),
    Check("answer too long", ("exqa", "coref"), _long_answer),
    Check("options are not distinct", ("mcqa",), _same_options),
    Check("response is not one of the options", ("mcqa",), _no_option),
    Check("response is a question", ("qa", "exqa"), lambda row: _question(row.said)),
    Check("number not in the passage", ("qa",), _foreign_number),
    Check("response is not a question", ("qg",), lambda row: not _question(row.said)),
    Check("question is not about the passage", ("qg",), _unrelated),
    Check("question is not about the passage", ("exqa", "qa", "ynqa", "mcqa"), _far_question),
    Check("answer asked for is not in the passage", ("qg",), _answer_elsewhere),
    Check("question tells its answer", ("qg",), _question_tells),
    Check("response is in neither passage nor question", ("coref",), _unknown_referent),
)
