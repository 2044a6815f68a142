"""Prompt and parsing: exact strings, and no passage that can break a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.errors import UsageError
from bonito_local.tasks import (
    CONTEXT,
    FORMS,
    MARKERS,
    PIPE,
    TASK_TYPES,
    Pair,
    defuse,
    format_prompt,
    parse_completion,
    task_type,
)

# Text in which markers, halves of markers and the placeholder are frequent.
pieces = st.sampled_from(
    [*MARKERS, CONTEXT, "<|", "|>", "{{", "}}", "context", "pipe", "<", "{", " "]
)
hostile = st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=20).map("".join)
plain = st.text(max_size=40).filter(lambda t: PIPE not in t and CONTEXT not in t)


def test_sixteen_tasks_by_short_and_full_name_in_any_case() -> None:
    assert len({t.short for t in TASK_TYPES} | {t.name for t in TASK_TYPES}) == 30
    for task in TASK_TYPES:
        assert task_type(task.short.upper()) is task
        assert task_type(f" {task.name.title()} ") is task


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("ynq", "Did you mean 'ynqa'?"),
        ("summarisation", "Did you mean 'summarization'?"),
    ],
)
def test_near_name_is_offered(name: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        task_type(name)
    assert caught.value.remedy == remedy


def test_far_name_lists_all() -> None:
    with pytest.raises(UsageError) as caught:
        task_type("zzz")
    assert caught.value.remedy == f"Known: {', '.join(task.short for task in TASK_TYPES)}."


def test_an_instruction_is_put_as_the_model_was_trained() -> None:
    asked = {name: (form.wrap(" Why? \n"), form.ends) for name, form in FORMS.items()}
    assert asked == {
        "base": ("Instruct: Why?\nAnswer:", True),
        "adapted": ("<|input|>\nWhy?\n<|output|>\n", True),
        "mistral": ("[INST] Why? [/INST]", False),
    }


def test_prompt_is_bonitos() -> None:
    assert format_prompt(task_type("nli"), "  A clause.\n") == (
        "<|tasktype|>\nnatural language inference\n<|context|>\nA clause.\n<|task|>\n"
    )


def test_completion_is_split_stripped_and_filled() -> None:
    text = "\n{{context}}\nIs it so? \n<|pipe|>\n yes, {{context}}\n"
    assert parse_completion(text, " P ") == Pair("P\nIs it so?", "yes, P")


@pytest.mark.parametrize("text", ["", "no pipe", f"a{PIPE}b{PIPE}c", "a<| pipe |>b"])
def test_not_exactly_one_pipe_does_not_parse(text: str) -> None:
    assert parse_completion(text, "p") is None


@given(hostile)
def test_a_passage_cannot_break_its_prompt(passage: str) -> None:
    prompt = format_prompt(TASK_TYPES[0], passage)
    assert [prompt.count(marker) for marker in (*MARKERS, CONTEXT)] == [1, 1, 1, 0, 0]


@given(hostile)
def test_defusing_adds_spaces_and_nothing_else(passage: str) -> None:
    defused = defuse(passage)
    assert defused.replace(" ", "") == passage.replace(" ", "")
    assert defuse(defused) == defused


@given(hostile, plain, plain)
def test_a_passage_cannot_break_a_row(passage: str, before: str, after: str) -> None:
    pair = parse_completion(f"{before}{CONTEXT}{after}{PIPE}{CONTEXT}", passage)
    assert pair is not None
    inside = passage.strip()
    assert pair.response == inside
    assert pair.instruction == f"{before.lstrip()}{inside}{after.rstrip()}"


@given(hostile, hostile)
def test_parsing_takes_any_text(text: str, passage: str) -> None:
    pair = parse_completion(text, passage)
    assert (pair is None) == (text.count(PIPE) != 1)
