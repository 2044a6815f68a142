"""Claims: what a row says of its passage, as a question that can be asked again."""

from __future__ import annotations

from collections.abc import Container

from bonito_local.checks.answers import question_in
from bonito_local.checks.text import without_passage
from bonito_local.errors import UsageError
from bonito_local.tasks import PIPE, TaskType
from bonito_local.writing.agreement import agree
from bonito_local.writing.forms import Form
from bonito_local.writing.writer import Assignment, Claim

NOT_STATED = "not stated"
# What may be answered; an answer to any other kind is words.
VERDICTS = {
    "yes-no": ("yes", "no", NOT_STATED),
    "statement": ("true", "false", NOT_STATED),
}
_TRUTH = {
    "entailment": "true",
    "contradiction": "false",
    "neutral": NOT_STATED,
    "yes": "true",
    "no": "false",
}
_QUESTIONS = ("exqa", "qa", "mcqa")


_LINES = {"question": ("question", "answer"), "yes-no": ("question",), "statement": ("statement",)}


def check_claims(form: Form, checks: Container[str]) -> None:
    """Raise UsageError where a form's `check` cannot be asked: `checks` are the conversation's."""
    if not form.check:
        return
    if form.check not in _LINES or form.check not in checks:
        raise UsageError(
            f"check is {form.check!r:.60}.",
            "Use one of conversation.toml's [checks], or leave it out.",
        )
    lacking = [name for name in _LINES[form.check] if name not in form.lines]
    labels = {"statement": _TRUTH, "yes-no": VERDICTS["yes-no"]}.get(form.check, form.asks)
    if lacking or not all(label in labels for label in form.asks):
        raise UsageError(
            f"check = {form.check!r} does not go with the lines or the labels of ask.",
            f"It needs the lines {', '.join(_LINES[form.check])}, and labels as in the package's "
            "own prompts.",
        )


def claim_of_lines(form: Form, assignment: Assignment, written: str) -> Claim | None:
    """Return what a row in a form's lines says; None where nothing can be asked of it."""
    fields = form.fields(written) if form.check else None
    if fields is None:
        return None
    choice = form.choose(assignment)
    sure = choice.change is not None
    if form.check == "statement":
        return Claim(form.check, fields["statement"], _TRUTH[choice.label], sure)
    answer = choice.label if form.check in VERDICTS else fields["answer"]
    return Claim(form.check, fields["question"], answer, sure)


def claim_of_row(task: TaskType, passage: str, written: str) -> Claim | None:
    """Return what a row says that is an instruction, a pipe and a response."""
    instruction, _, response = written.partition(PIPE)
    question = question_in(without_passage(instruction, passage))
    response = response.strip()
    if not question.endswith("?") or not response:
        return None
    if task.kind == "ynqa" and response.lower() in VERDICTS["yes-no"]:
        return Claim("yes-no", question, response.lower())
    return Claim("question", question, response) if task.kind in _QUESTIONS else None


def agrees(claim: Claim, answer: str) -> bool:
    """Return whether an answer is the claim's: the same verdict, or the same words."""
    if claim.kind in VERDICTS:
        return answer.strip(" .\n").lower() == claim.answer
    return agree(claim.answer, answer, claim.text)
