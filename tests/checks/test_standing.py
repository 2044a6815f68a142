"""Whether a question can be understood without its page."""

from __future__ import annotations

import pytest

from bonito_local.checks.rules import check
from bonito_local.checks.standing import points_outside
from bonito_local.checks.thresholds import Thresholds
from bonito_local.tasks import CONTEXT, PIPE, Pair, task_type

PASSAGE = (
    "Mrs. Calloway came with a fever of 39.2 degrees. Her daughter called the ambulance. "
    "We inform you within 72 hours if your data is lost. You may ask the Data Office for a copy."
)
CLEAR = Thresholds(stand_alone=True)


def verdict(
    task: str, question: str, response: str, checks: Thresholds = CLEAR, place: str = ""
) -> str | None:
    instruction = f"{CONTEXT}\n\nQuestion: {question}"
    pair = Pair(instruction.replace(CONTEXT, PASSAGE), response)
    completion = f"{instruction}\n{PIPE}\n{response}"
    return check(task_type(task), pair, PASSAGE, completion, checks, place=place)


@pytest.mark.parametrize(
    "question",
    [
        "How soon do we inform a customer whose data is lost?",
        "What fever did my mother have?",
        "What does this clinic measure in degrees?",
        "What fever is mentioned for Mrs. Calloway?",
        "What fever does the text name?",
        "What fever did she come with?",
        "Was it a fever of 39.2 degrees?",
        "Did you ask the Data Office for a copy?",
    ],
)
def test_a_question_that_points_outside_itself(question: str) -> None:
    assert verdict("qa", question, "72 hours") == "question points outside itself"
    assert verdict("qa", question, "72 hours", Thresholds(stand_alone=False)) is None
    assert verdict("qa", question, "72 hours", Thresholds()) is None  # Bonito's rows


@pytest.mark.parametrize(
    "question",
    [
        "How soon must you be told when your data is lost?",
        "What fever did Mrs. Calloway have when she came?",
        "Is it true that Mrs. Calloway had a fever?",
        "Whom did Calloway's daughter call?",
        "Where can a copy of the data be asked for?",
    ],
)
def test_a_question_that_stands_alone(question: str) -> None:
    assert verdict("qa", question, "72 hours") is None


def test_a_name_that_the_passage_does_not_hold() -> None:
    question = "What fever was measured at Northfield Bank?"
    assert verdict("qa", question, "39.2 degrees") == "name not in the passage"
    # The document's title and headings are in the model's reach.
    assert verdict("qa", question, "39.2 degrees", place="northfield bank > Visits") is None


def test_a_short_answer_is_no_sentence() -> None:
    sentence = "Mrs. Calloway came with a fever of 39.2 degrees."
    question = "What is known of the patient with the fever?"
    assert verdict("exqa", question, sentence) == "response is a whole sentence"
    assert verdict("exqa", question, "a fever of 39.2 degrees") is None
    assert verdict("exqa", question, sentence, Thresholds()) is None


def test_not_stated_is_no_answer() -> None:
    assert verdict("qa", "How old is Mrs. Calloway?", "Not stated.") == (
        "response says that there is none"
    )


def test_a_summary_says_what_its_text_says() -> None:
    assert verdict("summarization", "Sum it up.", "The text discusses a fever.") == (
        "summary speaks of its text"
    )
    assert verdict("summarization", "Sum it up.", "Mrs. Calloway came with a fever.") is None


def test_a_statement_that_points_outside_itself() -> None:
    assert points_outside("This fever was measured twice.")
    assert not points_outside("Mrs. Calloway came with a fever.")
