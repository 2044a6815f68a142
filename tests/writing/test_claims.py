"""What a row of Bonito's says of its passage, as a question."""

from __future__ import annotations

import pytest

from bonito_local.tasks import CONTEXT, PIPE, task_type
from bonito_local.writing.claims import agrees, claim_of_row
from bonito_local.writing.writer import Claim

PASSAGE = "Rent is due on the first day of each month."


@pytest.mark.parametrize(
    ("task", "written", "claim"),
    [
        ("exqa", f"{CONTEXT}\n\nQuestion: When is rent due?{PIPE}on the first day",
         Claim("question", "When is rent due?", "on the first day")),
        ("qa", f"When is rent due? Use this: {PASSAGE}{PIPE} On the first day.",
         Claim("question", "When is rent due?", "On the first day.")),
        ("ynqa", f"Is rent due weekly? Yes or no?{PIPE}No",
         Claim("yes-no", "Is rent due weekly?", "no")),
        ("ynqa", f"Is rent due weekly?{PIPE}perhaps", None),
        ("exqa", f"Name the day.{PIPE}the first", None),
        ("exqa", f"When is rent due?{PIPE}", None),
        ("exqa", "When is rent due?", None),
        ("nli", f"Rent is due weekly. True or false?{PIPE}false", None),
    ],
)  # fmt: skip
def test_claim_of_row(task: str, written: str, claim: Claim | None) -> None:
    assert claim_of_row(task_type(task), PASSAGE, written) == claim


def test_agrees() -> None:
    claim = Claim("statement", "Rent is due weekly.", "false")
    assert agrees(claim, " False.\n")
    assert not agrees(claim, " not stated")
    assert agrees(Claim("question", "When is rent due?", "the first day"), "on the first day")
