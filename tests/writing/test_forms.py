"""The forms of the 16 task types: what is asked, and what is made of the answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bonito_local.checks.rules import check
from bonito_local.passages.sentences import candidates
from bonito_local.tasks import CONTEXT, TASK_TYPES, Pair, TaskType, task_type
from bonito_local.writing.forms import Form
from bonito_local.writing.promptset import package_prompts
from bonito_local.writing.writer import Assignment

PASSAGE = (
    "Rent is due on the first day of each month. It is paid to the landlord by transfer. "
    "The deposit for the flat is 1,200 pounds. The tenant may not keep dogs in the flat."
)
OWN = TaskType("mine", "mine", "mine", "How?", "So.")


def form_of(task: str) -> Form:
    found = package_prompts().form(task)
    assert found is not None
    return found


def about(task: str, sample: int = 0, of: int = 1, passage: str = PASSAGE) -> Assignment:
    return Assignment(task_type(task), passage, "", sample, of)


@pytest.mark.parametrize("task", TASK_TYPES, ids=lambda task: task.short)
def test_every_task_type_has_a_form_whose_lines_are_used(task: TaskType) -> None:
    made = form_of(task.short)
    for instruction in made.instructions:
        assert CONTEXT in instruction + made.response
    used = " ".join(made.instructions) + made.response
    for line in made.lines:
        shown = "{options}" if line == "wrong" else f"{{{line}}}"
        spare = ("answer", "words") if task.short in ("qg", "sentiment") else ()
        assert shown in used or line in spare or line == "answer", (task.short, line)
    assert set(made.changed) <= set(made.asks)
    assert made.check in ("", *package_prompts().conversation.checks)


def test_a_task_type_of_the_users_has_no_form() -> None:
    assert package_prompts().form("mine") is None
    assert package_prompts().form("conversation") is None


@pytest.mark.parametrize(
    ("task", "written", "fields"),
    [
        ("exqa", " When is it due?\nAnswer: on day 1", ("When is it due?", "on day 1")),
        ("exqa", " When?\n\n**Answer:** on day 1\n\nAnything else?", ("When?", "on day 1")),
        ("exqa", " When?\nAnswer: now\nQuestion: Why?\nAnswer: so", ("When?", "now")),
        ("exqa", " When?\n- answer : now", ("When?", "now")),
        ("exqa", " When?", None),
        ("exqa", " When?\nAnswer:", None),
        ("exqa", " Is it? Answer: no.\nAnswer: no", None),  # the question tells its answer
        ("exqa", "", None),
        ("exqa", "I cannot do that.", None),
        ("mcqa", " When?\nAnswer: now\nWrong: then | later", ("When?", "now", "then | later")),
        ("mcqa", " When?\nAnswer: now\nWrong: then", None),
    ],
)
def test_lines(task: str, written: str, fields: tuple[str, ...] | None) -> None:
    found = form_of(task).fields(written)
    assert (None if found is None else tuple(found[name] for name in form_of(task).lines)) == fields


def test_a_row_is_put_together_from_the_lines() -> None:
    made, asked = form_of("exqa"), about("exqa")
    row = made.row(asked, " When is {rent} due?\nAnswer: on the first day")
    assert row is not None
    instruction, response = row
    assert response == "on the first day"
    assert instruction.replace("When is {rent} due?", "{question}") in made.instructions
    made = form_of("text_gen")
    assert made.row(about("text_gen"), " Write of {rent} and {{context}}.") == (
        "Write of {rent} and {{context}}.",
        CONTEXT,
    )


def test_wordings_of_instructions_vary() -> None:
    made = form_of("exqa")
    rows = [
        made.row(about("exqa", passage=f"{PASSAGE} {at}"), " When?\nAnswer: now")
        for at in range(300)
    ]
    used = Counter(row[0] for row in rows if row)
    assert len(used) == len(made.instructions)
    assert max(used.values()) < 100


def test_samples_are_about_different_sentences() -> None:
    made = form_of("exqa")
    chosen = [made.choose(about("exqa", sample, 4)).sentence for sample in range(4)]
    assert len({one.start for one in chosen if one}) == 4
    again = made.choose(replace(about("exqa", 0, 1), attempt=1)).sentence
    assert again != chosen[0]
    for one in chosen:
        assert one
        assert PASSAGE[one.start : one.end] == one.text
        assert f"Sentence: {one.text}" in made.request(
            made.choose(about("exqa", chosen.index(one), 4))
        )


def test_the_likeliest_row_is_asked_for_until_a_sentence_comes_again() -> None:
    made = form_of("exqa")
    count = len(candidates(PASSAGE))
    fresh = [made.fresh(about("exqa", sample, count + 2)) for sample in range(count + 2)]
    assert fresh == [*[True] * count, False, False]
    again = [replace(about("exqa"), attempt=attempt) for attempt in range(count + 1)]
    assert [made.fresh(one) for one in again] == [*[True] * count, False]
    whole = form_of("summarization")
    assert [whole.fresh(about("summarization", sample, 2)) for sample in range(2)] == [True, False]


def test_labels_are_balanced_and_a_false_one_has_a_changed_sentence() -> None:
    made, labels = form_of("ynqa"), Counter[str]()
    for number in range(200):
        asked = about("ynqa", passage=f"{PASSAGE} It has {number + 10} windows.")
        choice = made.choose(asked)
        labels[choice.label] += 1
        assert choice.sentence
        assert (choice.shown == choice.sentence.text) == (choice.label == "yes")
        row = made.row(asked, " Is rent due?")
        assert row
        assert row[1] == choice.label
    assert min(labels.values()) > 70
    # Nothing to change: the label is the other one.
    bare = about("ynqa", passage="Birds sing songs of joy and sorrow.")
    assert {made.choose(replace(bare, sample=at)).label for at in range(4)} == {"yes"}


def test_a_sentence_is_negated_where_nothing_else_can_be_changed() -> None:
    plain = "The tenant of the flat in Leeds is told about the keys by the owner of the house."
    dated = "The rent is due before noon."
    made = form_of("ynqa")
    for passage, new in ((f"{plain} {dated}", "after"), (plain, "is not")):
        choices = [made.choose(about("ynqa", sample, 2, passage)) for sample in range(2)]
        assert [c.change.new for c in choices if c.change] == [new]


def test_options_are_shuffled_and_the_letter_is_the_answers() -> None:
    made, letters = form_of("mcqa"), Counter[str]()
    written = (
        " To whom is rent paid?\nAnswer: the landlord\nWrong: the bank | the tenant | a court."
    )
    for number in range(100):
        passage = f"{PASSAGE} {number}"
        row = made.row(about("mcqa", passage=passage), written)
        assert row is not None
        instruction, response = row
        assert response in instruction.splitlines()
        assert response.endswith(" the landlord")
        letters[response[:3]] += 1
        pair = Pair(instruction.replace(CONTEXT, passage), response)
        completion = f"{instruction}\n<|pipe|>\n{response}"
        assert check(task_type("mcqa"), pair, passage, completion) is None
    assert len(letters) == 4


def test_lines_are_held_to_the_sentence() -> None:
    made, asked = form_of("exqa"), about("exqa")
    question, answer = made.shape(asked).lines
    assert (question.name, question.span_of, question.choices) == ("Question", None, ())
    assert (answer.name, answer.span_of) == ("Answer", made.choose(asked).shown)
    words, tone = form_of("sentiment").shape(about("sentiment")).lines
    assert words.span_of == PASSAGE
    assert tone.choices == ("positive", "negative", "neutral")
