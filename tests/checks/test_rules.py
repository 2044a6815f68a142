import pytest

from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.rules import check, normalize
from bonito_local.tasks import CONTEXT, PIPE, Pair, parse_completion, task_type

PASSAGE = "Either party may end this\nagreement by giving Thirty days' written notice."


def verdict(task: str, completion: str, passage: str = PASSAGE) -> str | None:
    pair = parse_completion(completion, passage)
    assert pair is not None
    return check(task_type(task), pair, passage, completion)


@pytest.mark.parametrize(
    ("task", "completion", "reason"),
    [
        ("qa", f"How?{PIPE}By notice.", None),
        ("qa", f" {PIPE}By notice.", "empty instruction"),
        ("qa", f"How?{PIPE}\n", "empty response"),
        ("qa", f"How? <|task|>{PIPE}By notice.", "leaked marker"),
        ("qa", f"How?{PIPE}By <|context|> notice.", "leaked marker"),
        ("qa", f" {CONTEXT} {PIPE}By notice.", "instruction is only the passage"),
        ("qa", f"{CONTEXT} How?{PIPE}By notice.", None),
        ("exqa", f"What?{PIPE}this agreement", None),
        ("exqa", f"What?{PIPE}THIRTY  days'", None),
        ("exqa", f"What?{PIPE}30 days", "response is not in the passage"),
        ("ynqa", f"In writing?{PIPE}Yes.", None),
        ("ynqa", f"In writing?{PIPE}no", None),
        ("ynqa", f"In writing?{PIPE}yes, it must", "response is not yes or no"),
        ("ynqa", f"In writing?{PIPE}written", "response is not yes or no"),
    ],
)
def test_reason(task: str, completion: str, reason: str | None) -> None:
    assert verdict(task, completion) == reason


def test_a_marker_in_the_passage_is_no_leak() -> None:
    passage = "The tag <|task|> ends a prompt; {{context}} stands for a text."
    assert verdict("qa", f"{CONTEXT}\nWhat ends it?{PIPE}A tag.", passage) is None


def test_a_copy_of_the_passage_as_the_model_saw_it_is_verbatim() -> None:
    passage = "The tag <|task|> ends a prompt."
    assert verdict("exqa", f"What ends it?{PIPE}the tag < |task| >", passage) is None


def test_normalize_folds_ligatures_case_and_space() -> None:
    assert normalize(" The o\ufb03ce\u00a0\n IS  open ") == "the office is open"


def test_digest_is_equal_for_the_same_row_only() -> None:
    one = pair_digest(Pair("What is it?", "A  clause"))
    assert one == pair_digest(Pair("what is\nit?", "a clause"))
    assert one != pair_digest(Pair("What is it? A", "clause"))
    assert len(one) == 16
