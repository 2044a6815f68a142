"""Models that write the evidence first: what they are given, and what comes of their lines."""

from __future__ import annotations

import pytest

from bonito_local.backends.base import Completion
from bonito_local.backends.likelihood import Likelihood
from bonito_local.errors import UsageError
from bonito_local.jobs.prompts import writer_of
from bonito_local.tasks import parse_completion, task_type
from bonito_local.writing.claims import agrees
from bonito_local.writing.evidence import TOO_LITTLE, UNCLEAR, UNLIKELY, EvidenceWriter
from bonito_local.writing.writer import Assignment, Claim

PASSAGE = "The rent of the flat is paid on the first day of each month by transfer."
WRITER = EvidenceWriter()


def about(task: str, passage: str = PASSAGE, sample: int = 0) -> Assignment:
    return Assignment(task_type(task), passage, "lease > Rent", sample, 2)


def done(text: str) -> Completion:
    return Completion("r", 0, text, 1, 1, "stop")


def test_a_model_is_asked_so_by_its_metadata() -> None:
    metadata = {"bonito.writer": "evidence", "tokenizer.chat_template": "{{ messages }}"}
    assert isinstance(writer_of("auto", metadata), EvidenceWriter)
    assert isinstance(writer_of("evidence", {}), EvidenceWriter)
    assert not isinstance(writer_of("bonito", metadata), EvidenceWriter)


@pytest.mark.parametrize(
    ("task", "begun"),
    [
        ("exqa", f"Task: extractive question answering\nSentence: {PASSAGE}\nAnswer:"),
        ("qg", f"Task: extractive question answering\nSentence: {PASSAGE}\nAnswer:"),
        ("qa", f"Task: question answering without choices\nSentence: {PASSAGE}\nQuestion:"),
        ("summarization", "Task: summarization\nSummary:"),
    ],
)
def test_the_lines_that_a_model_is_given(task: str, begun: str) -> None:
    assert WRITER.ask(about(task)).prompt == f"Text:\nRent\n\n{PASSAGE}\n\n{begun}"


def test_a_false_row_is_written_from_a_changed_sentence() -> None:
    prompts = {}
    for sample in range(2):
        asked = about("ynqa", sample=sample)
        row = WRITER.written(asked, done(" Is it paid on the last day of each month?"))
        pair = parse_completion(row.text, PASSAGE)
        assert pair
        prompts[pair.response] = WRITER.ask(asked).prompt
        claim = WRITER.claim(asked, done(" Is it?"))
        assert claim
        assert (claim.sure, claim.answer) == (pair.response == "no", pair.response)
    assert set(prompts) == {"yes", "no"}
    assert f"Sentence: {PASSAGE}\nAnswer: yes\nQuestion:" in prompts["yes"]
    assert "Sentence: The rent of the flat is paid on the last day" in prompts["no"]
    assert prompts["no"].endswith("\nAnswer: yes\nQuestion:")
    false = next(about("ynqa", sample=at) for at in (0, 1) if lost(about("ynqa", sample=at)))
    assert lost(false) == "what makes it false is lost"
    question = " Is the rent of the flat paid on the last day of each month by transfer?"
    assert WRITER.fault(false, done(question)) is None


def lost(assignment: Assignment) -> str | None:
    return WRITER.fault(assignment, done(" Is rent paid on the first day?"))


def test_a_statement_points_at_nothing_outside_itself() -> None:
    true = next(
        about("nli", sample=at)
        for at in range(9)
        if "entailment" in WRITER.ask(about("nli", sample=at)).prompt
        and not lost(about("nli", sample=at))
    )
    assert WRITER.fault(
        true, done(" We pay the rent of the flat by transfer on the first day.")
    ) == ("statement points outside itself")


def test_an_answer_is_asked_again() -> None:
    asked, written = about("exqa"), done(" by transfer\nQuestion: How is rent paid?")
    row = parse_completion(WRITER.written(asked, written).text, PASSAGE)
    assert row
    assert row.response == "by transfer"
    assert "How is rent paid?" in row.instruction
    claim = WRITER.claim(asked, written)
    assert claim
    check = WRITER.reread(asked, claim)
    assert check
    assert check.prompt == (
        f"Text:\nRent\n\n{PASSAGE}\n\nTask: answer\nQuestion: How is rent paid?\nAnswer:"
    )
    assert agrees(claim, " transfer")
    assert not agrees(claim, " the first day")
    assert WRITER.reread(asked, Claim("statement", "Rent is paid.", "true")) is None
    found = WRITER.evidence(asked)
    assert found
    assert PASSAGE[found.start : found.end] == PASSAGE


def test_what_such_a_model_does_not_write() -> None:
    with pytest.raises(UsageError, match="writes no rows of coref") as caught:
        WRITER.ask(about("coref"))
    assert "exqa" in caught.value.remedy


def test_the_options_of_a_row() -> None:
    written = done(" by transfer\nQuestion: How is rent paid?\nWrong: in cash | by card | by hand")
    row = parse_completion(WRITER.written(about("mcqa"), written).text, PASSAGE)
    assert row
    assert row.response.endswith(" by transfer")
    assert sorted(line[4:] for line in row.instruction.splitlines() if line[:1] == "(") == [
        "by card", "by hand", "by transfer", "in cash",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "passage", "why"),
    [
        ("exqa", "They pay the rent of the flat on the first day of the month.", UNCLEAR),
        ("ynqa", "They pay the rent of the flat on the first day of the month.", UNCLEAR),
        ("exqa", f"They pay for the flat in Leeds by 3 May 2024. {PASSAGE}", None),
        ("summarization", "They pay the rent of the flat on the first day of the month.", None),
    ],
)
def test_a_passage_without_a_sentence_that_is_clear_by_itself(
    task: str, passage: str, why: str | None
) -> None:
    assert WRITER.unfit(about(task, passage)) == why


def test_what_tells_whether_a_row_is_likely() -> None:
    question = "How is the rent of the flat paid on the first day of each month?"
    row = done(f" by transfer\nQuestion: {question}")
    text = f"Text:\n{PASSAGE}\n\n"
    assert WRITER.telling(about("exqa"), row) == [
        (f"{text}Question:", f" {question}"),
        (f"{text}Task: answer\nQuestion: {question}\nAnswer:", " by transfer"),
    ]
    asked = [about("ynqa", sample=sample) for sample in range(2)]
    told = [WRITER.telling(one, done(" Is it?")) for one in asked]
    assert [answer for _, (_, answer) in told] == [" yes", " yes"]
    shown = {begun for (begun, _), _ in told}  # the sentence as it was shown, one with a change
    assert len(shown) == 2
    assert f"{text}Question:" in shown
    for task in ("qa", "nli", "summarization"):  # of these it was not measured
        assert WRITER.telling(about(task), row) == []


@pytest.mark.parametrize(
    ("question", "tokens", "answer", "why"),
    [(-8.0, 10, -0.5, None), (-8.0, 10, -0.7, UNLIKELY), (-12.0, 10, 0.0, UNLIKELY)],
)
def test_a_row_that_the_model_finds_unlikely(
    question: float, tokens: int, answer: float, why: str | None
) -> None:
    found = [Likelihood(question, tokens), Likelihood(answer, 3)]
    assert WRITER.unlikely(found) == why


def test_the_response_to_an_instruction_is_asked_for_as_an_answer() -> None:
    instruction = "Read this.\n\n{{context}}\n\nQuestion: How is rent paid?"
    assert WRITER.beginning(task_type("exqa"), PASSAGE, instruction) == (
        f"Text:\n{PASSAGE}\n\nTask: answer\nQuestion: How is rent paid?\nAnswer:"
    )


@pytest.mark.parametrize(
    ("task", "written", "said"),
    [
        ("exqa", " by transfer\nQuestion: How is the rent of the flat paid each month?", None),
        ("exqa", " by transfer\nQuestion: How is rent paid?", TOO_LITTLE),
        ("qa", " What is it?\nAnswer: Rent.", TOO_LITTLE),
    ],
)  # fmt: skip
def test_a_question_keeps_to_its_sentence(task: str, written: str, said: str | None) -> None:
    assert WRITER.fault(about(task), done(written)) == said
