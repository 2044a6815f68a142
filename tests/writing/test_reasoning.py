"""What a model says before its answer: how it is read, and what of it is kept."""

from __future__ import annotations

import pytest

from bonito_local.tasks import task_type
from bonito_local.writing.claims import NOT_STATED
from bonito_local.writing.reasoning import Reading, kept, read
from bonito_local.writing.writer import Assignment, Claim

PASSAGE = "The rent of the flat in Leeds is 900 pounds a month. The tenant may keep 2 cats."
ABOUT = Assignment(task_type("exqa"), PASSAGE, "lease")
RENT = Claim("question", "How high is the rent of the flat in Leeds?", "900 pounds")
GARDEN = Claim("question", "How big is the garden?", NOT_STATED)
CATS = Claim("statement", "The tenant may keep 3 cats.", "false")


@pytest.mark.parametrize(
    ("written", "reasoning", "answer"),
    [
        (" Rent is\n  900.\nAnswer: 900 pounds\nQuestion: x", "Rent is 900.", "900 pounds"),
        ("Reasoning: Rent is 900.\n**Answer:** 900 pounds", "Rent is 900.", "900 pounds"),
        ("<think>They ask of rent.</think>\nAnswer: 900", "They ask of rent.", "900"),
        ("<think>Hm.</think>Reasoning: Rent is 900.\nAnswer: 900", "Rent is 900.", "900"),
        ("Answer: 900", "", "900"),
        (" Rent is 900, and the answer: 900", "Rent is 900, and the answer: 900", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_a_completion_is_reasoning_and_an_answer(written: str, reasoning: str, answer: str) -> None:
    assert read(written) == Reading(reasoning, answer)


@pytest.mark.parametrize(
    ("reasoning", "claim"),
    [
        ("The text says that the rent in Leeds is 900 pounds a month.", RENT),
        ("The tenant may keep 2 cats, and 3 is more than that.", CATS),
        ("The tenant may keep 2 animals.", Claim("question", "How many cats?", "two")),
        ("The tenant may keep 2 cats, so the statement is false.", CATS),
        ("It names the rent and cats, but no garden.", GARDEN),
    ],
)  # fmt: skip
def test_what_leads_from_the_passage_to_the_answer_is_kept(reasoning: str, claim: Claim) -> None:
    assert kept(reasoning, claim, ABOUT) == reasoning


@pytest.mark.parametrize(
    ("reasoning", "claim"),
    [
        ("", RENT),
        ("So the answer is 900 pounds.", RENT),  # nothing but the answer
        ("The statement is false.", CATS),
        ("Bananas grow in warm countries.", RENT),  # nothing of the passage
        ("The rent of the flat is 900 pounds, or 10,800 a year.", RENT),
        ("The flat belongs to Biscuit and costs 900 pounds.", RENT),
        ("The rent of the flat is said by the text.", RENT),  # does not come to it
        ("The rent is 900 pounds. " * 40, RENT),
        ("The tenant may keep 2 cats, so the statement is true.", CATS),
    ],
)
def test_other_reasoning_is_dropped(reasoning: str, claim: Claim) -> None:
    assert kept(reasoning, claim, ABOUT) is None
