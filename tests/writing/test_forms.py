"""The forms of the 16 task types: what is asked, and what is made of the answers."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bonito_local.checks.rules import check
from bonito_local.tasks import CONTEXT, TASK_TYPES, Pair, task_type
from bonito_local.writing.forms import form, system_prompt

PASSAGE = "Rent is due on the first day of each month. It is paid to the landlord by transfer."


def test_every_task_type_has_a_form_whose_fields_are_used() -> None:
    for task in TASK_TYPES:
        made = form(task.short)
        assert made is not None
        assert CONTEXT in made.instruction + made.response
        used = made.instruction + made.response
        for key in made.keys:
            assert all(f'"{key}"' in ask for ask in made.asks.values())
            shown = "{options}" if key == "wrong" else f"{{{key}}}"
            assert shown in used or key in ("sentence", "words"), (task.short, key)
    assert form("mine") is None
    assert "JSON" in system_prompt()


@pytest.mark.parametrize(
    ("task", "answer", "instruction", "response"),
    [
        (
            "exqa",
            {"sentence": "Rent is due.", "question": "When is rent due?", "answer": "on the first"},
            "{{context}}\n\nQuestion: When is rent due?",
            "on the first",
        ),
        (
            "qg",
            {"sentence": "It is paid.", "answer": "by transfer", "question": "How is rent paid?"},
            '{{context}}\n\nWrite a question about the text whose answer is "by transfer".',
            "How is rent paid?",
        ),
        (
            "summarization",
            {"summary": "Rent is paid monthly."},
            "Summarize the text in one sentence.\n\n{{context}}",
            "Rent is paid monthly.",
        ),
        (
            "text_gen",
            {"request": "Write a clause on {rent} and {{context}}."},
            "Write a clause on {rent} and {{context}}.",
            "{{context}}",
        ),
    ],
)
def test_a_row_is_put_together_from_the_fields(
    task: str, answer: dict[str, str], instruction: str, response: str
) -> None:
    made = form(task)
    assert made is not None
    whole = json.dumps(answer)
    assert whole.startswith(made.opening)
    written = whole.removeprefix(made.opening)
    assert made.row(PASSAGE, written) == (instruction, response)
    assert made.row(PASSAGE, written + "\n\nI hope that this helps {") == (instruction, response)


def test_labels_are_drawn_by_the_passage() -> None:
    made = form("ynqa")
    assert made is not None
    drawn = Counter(made.label(f"Passage number {number}.") for number in range(200))
    assert set(drawn) == {"yes", "no"}
    assert min(drawn.values()) > 70
    label = made.label(PASSAGE)
    assert f"answers with {label}." in made.request(PASSAGE)
    row = made.row(PASSAGE, 'Rent is due.", "question": "Is rent due monthly?"}')
    assert row == (f"{CONTEXT}\n\nQuestion: Is rent due monthly? Yes or no?", label)


def test_options_are_shuffled_by_the_passage_and_the_letter_is_the_answers() -> None:
    made, letters = form("mcqa"), Counter[str]()
    assert made is not None
    written = (
        'Rent is due.", "question": "To whom is rent paid?", "answer": "the landlord", '
        '"wrong": ["the bank", "the tenant", "the court"]}'
    )
    for number in range(100):
        passage = f"{PASSAGE} {number}"
        row = made.row(passage, written)
        assert row is not None
        instruction, response = row
        assert response in instruction.splitlines()
        assert response.endswith(" the landlord")
        letters[response[:3]] += 1
        pair = Pair(instruction.replace(CONTEXT, passage), response)
        completion = f"{instruction}\n<|pipe|>\n{response}"
        assert check(task_type("mcqa"), pair, passage, completion) is None
    assert len(letters) == 4


@pytest.mark.parametrize(
    "written",
    [
        "",
        "I cannot do that.",
        'Rent.", "question": "When?"}',  # no answer
        'Rent.", "question": "When?", "answer": ""}',
        'Rent.", "question": "When?", "answer": ["a"]}',
        'Rent.", "question": "When?", "answer": "on the fir',  # cut off
    ],
)
def test_an_answer_without_all_fields_is_no_row(written: str) -> None:
    made = form("exqa")
    assert made is not None
    assert made.row(PASSAGE, written) is None


def test_fields_are_told_in_broken_json() -> None:
    made = form("exqa")
    assert made is not None
    written = 'Rent.",\n "question": "When is \\"rent\\" due?" "answer": "on the first"'
    assert made.row(PASSAGE, written) == (
        f'{CONTEXT}\n\nQuestion: When is "rent" due?',
        "on the first",
    )
