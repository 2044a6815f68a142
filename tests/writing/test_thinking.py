"""Thoughts are told from answers, as models of each family write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonito_local.backends.thoughts import MARKS, Split, split, without_lead
from bonito_local.writing.thinking import answer_of, switches

ANALYSIS = "<|channel|>analysis<|message|>They ask when."
FINAL = "<|start|>assistant<|channel|>final<|message|>On Monday."


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("On Monday.", "", "On Monday."),
        ("<think>\nThey ask when.\n</think>\n\nOn Monday.", "They ask when.", "On Monday."),
        ("They ask when.\n</think>\n\nOn Monday.", "They ask when.", "On Monday."),
        ("\n<think>They ask when, and", "They ask when, and", ""),
        ("<think>\n\n</think>\n\nOn Monday.", "", "On Monday."),
        ("[THINK]They ask when.[/THINK]On Monday.", "They ask when.", "On Monday."),
        (
            "<|START_THINKING|>They ask when.<|END_THINKING|><|START_RESPONSE|>On Monday."
            "<|END_RESPONSE|>",
            "They ask when.",
            "On Monday.",
        ),
        ("<think>When?</think>\n<response>On Monday.</response>", "When?", "On Monday."),
        ("<seed:think>When?</seed:think>On Monday.", "When?", "On Monday."),
        ("<|channel>thought\nWhen?<channel|>On Monday.", "When?", "On Monday."),
        (
            "Here are my reasoning steps:\nWhen?\n[BEGIN FINAL RESPONSE]\nOn Monday.\n"
            "[END FINAL RESPONSE]",
            "When?",
            "On Monday.\n",
        ),
        (f"{ANALYSIS}<|end|>{FINAL}<|return|>", ANALYSIS, "On Monday."),
        (f"{ANALYSIS}", ANALYSIS, ""),
        (f"On Monday.<|end|><|start|>assistant{ANALYSIS}", ANALYSIS, "On Monday."),
    ],
)
def test_a_thought_is_split_off(text: str, thought: str, answer: str) -> None:
    found = split(text)
    assert found.answer == answer
    assert thought.removeprefix("<|channel|>") in found.thought
    assert bool(found.thought) == bool(thought)


@given(st.text(), st.text(), st.sampled_from(MARKS))
def test_no_thought_stays_in_an_answer(thought: str, answer: str, marks: object) -> None:
    begin, end = marks.begin, marks.end  # type: ignore[attr-defined]
    if "<" in answer + thought or "[" in answer + thought:
        return
    assert split(f"{begin}{thought}{end}{answer}").answer == answer.lstrip("\n")
    assert split(f"{begin}{thought}") == Split(thought.strip(), "")


@pytest.mark.parametrize(
    "text",
    [
        " When?",
        "Question: When?",
        "<think>\nHm.\n</think>\n\n**Question:** When?",
        "\n- question: When?",
        "## Question: When?",
    ],
)
def test_an_answer_with_or_without_its_begun_line(text: str) -> None:
    assert answer_of(text, "Question:").strip() == "When?"


def test_switches_are_off() -> None:
    off, on = switches("{{ messages }}"), switches("{{ messages }}", on=True)
    assert (off["enable_thinking"], off["thinking"], off["reasoning_effort"]) == (
        False,
        False,
        "low",
    )
    assert all(off[name] != on[name] for name in off)
    effort = "{% if reasoning_effort in ['low', 'high', 'no_think'] %}{% endif %}"
    assert switches(effort)["reasoning_effort"] == "no_think"


def test_what_comes_before_the_form_goes_where_it_was_only_asked_for() -> None:
    written = "Sure, here it is.\n\n**Question:** When?\nAnswer: now"
    assert without_lead(written, "Question:", asked=True) == " When?\nAnswer: now"
    assert without_lead(written, "Question:") == written
