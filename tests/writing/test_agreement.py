"""Two answers to one question say the same, or do not."""

from __future__ import annotations

import pytest

from bonito_local.writing.agreement import agree


@pytest.mark.parametrize(
    ("first", "second", "question", "same"),
    [
        ("thirty days", "within thirty days", "", True),
        ("20 working days", "working days", "", True),
        ("20 working days", "30 working days", "", False),
        ("67", "139 patients", "", False),
        ("the landlord", "The tenant.", "", False),
        ("the landlord", "The landlord of the flat pays.", "", True),
        ("14 kilowatt hours", "14", "", True),
        ("Rent is due on the first day.", "on the first day", "When is rent due?", True),
        ("Rent is due on the first day.", "on the last Friday", "When is rent due?", False),
        ("her daughter", "not stated", "", False),
        ("not stated", "Not stated.", "", True),
        ("no", "no", "", True),
        ("", "", "", False),
    ],
)
def test_agree(first: str, second: str, question: str, same: bool) -> None:
    assert agree(first, second, question) is same
