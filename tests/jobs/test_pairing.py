"""Examples of preferences from a real job's store: which there are, and which must not be."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import Scripted, spec

from bonito_local.backends.base import Request
from bonito_local.checks.thresholds import Thresholds
from bonito_local.exports.preferences import Preference
from bonito_local.exports.splits import parse_split
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exporting import export
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.pairing import export_rows
from bonito_local.jobs.report import preview
from bonito_local.jobs.review import open_review
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Passage
from bonito_local.writing.instruct import InstructWriter

TEXT = (
    "The rent of the flat in Leeds is 900 pounds a month. The deposit for the flat in Leeds is "
    "1,200 pounds. The tenant of the flat in Leeds may keep 2 cats."
)
PASSAGE = Passage(TEXT, "lease.md", "ab" * 32, None, 0, len(TEXT), "Rent")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return tmp_path / "out"


def written(request: Request) -> str:
    """A question of several options about a sentence; the second reading finds the answer."""
    sentence = request.prompt.rpartition("Sentence: ")[2].splitlines()[0]
    amount = next(word for word in ("900", "1,200", "2 cats") if word in sentence)
    thing = next(word for word in ("rent", "deposit", "keep") if word in sentence)
    return f" What of the {thing}?\nAnswer: {amount}\nWrong: 17 | 55 pounds | a cat\n"


def run(job: Path, task: str, reread: str, n: int = 1) -> None:
    def answer(request: Request, _: int) -> str:
        return f" {reread}" if request.prompt.endswith("Answer:") else written(request)

    judge = Judge(replace(Thresholds(), retries=0).settled(instruct=True))
    with closing(Store(store_path(job))) as store:
        wanted = spec(task, n=n)
        run_job(store, Scripted(answer), wanted, [PASSAGE], judge=judge, writer=InstructWriter())


def fill(job: Path, task: str, rows: list[dict[str, object]]) -> None:
    """Record rows of one passage: how each ended, its texts and its second answer."""
    with closing(Store(store_path(job))) as store:
        store.bind(spec().settings())
        with store.transaction():
            store.add_passage(PASSAGE, [task], len(rows))
        ids = [pending.id for pending in store.pending()]
        store.record(
            [
                Result(
                    id,
                    instruction=f"{TEXT}\n\n{values.pop('asked')}",
                    completion="...",
                    **values,  # type: ignore[arg-type]
                )
                for id, values in zip(ids, [dict(row) for row in rows], strict=True)
            ]
        )


def examples(job: Path, form: str, **choice: str) -> list[Preference]:
    with closing(Store(store_path(job), create=False)) as store:
        found = list(export_rows(store, Export(form, choice=Choice(**choice))))  # type: ignore[arg-type]
    assert all(isinstance(row, Preference) for row in found)
    return found  # type: ignore[return-value]


def pairs(job: Path, **choice: str) -> list[tuple[str, str, str]]:
    return [(row.output, row.rejected, row.origin) for row in examples(job, "dpo", **choice)]


def marked(job: Path, **choice: str) -> list[tuple[str, bool]]:
    return [(row.output, row.label) for row in examples(job, "kto", **choice)]


def row(asked: str, response: str, outcome: str = "accepted", **other: str) -> dict[str, object]:
    return {"asked": asked, "response": response, "outcome": outcome, **other}


RENT = "How much is the rent?"
NOT_AGAIN = "the answer is not reproduced"


def test_a_persons_text_is_better_than_the_models(job: Path) -> None:
    fill(job, "qa", [row(RENT, "950"), row("When?", "now"), row("Who?", "A tenant", "rejected")])
    with closing(open_review(job)) as review:
        asked = f"{TEXT}\n\n{RENT}"
        review.edit(1, asked, "900 pounds")
        review.edit(2, f"{TEXT}\n\nWhen is that?", "Now.")  # another question
        review.edit(3, f"{TEXT}\n\nWho?", "The landlord")  # left out all the same
    (only,) = examples(job, "dpo")
    assert (only.input, only.output, only.rejected) == (asked, "900 pounds", "950")
    with closing(open_review(job)) as review:
        review.edit(1, asked, "950.")  # says no other words
    assert pairs(job) == []


def test_of_one_question_the_answer_found_wrong_is_worse(job: Path) -> None:
    fill(
        job,
        "exqa",
        [
            row(RENT, "900 pounds", reread="900"),
            row(f"Question: {RENT}", "1,200 pounds", "rejected", reason=NOT_AGAIN),
            row(RENT, "900 pounds a month", "rejected", reason=NOT_AGAIN),  # the same answer
            row("How high is it?", "2 cats", "rejected", reason=NOT_AGAIN),  # another question
            row(RENT, "Leeds", "rejected", reason="response breaks off"),  # its answer may be right
            row(RENT, "1,200", "accepted"),
            row(RENT, "2 cats", "accepted"),
            row(RENT, "Leeds", "accepted"),
        ],
    )
    with closing(open_review(job)) as review:
        review.decide([6], "rejected", "wrong answer")
        review.decide([7], "rejected", "private")
        review.decide([8], "rejected", "too easy")
    assert pairs(job) == [
        ("900 pounds", "1,200 pounds", "another row"),
        ("900 pounds", "1,200", "another row"),
    ]
    assert marked(job) == [
        ("900 pounds", True),
        ("1,200 pounds", False),
        ("2 cats", False),
        ("1,200", False),
    ]
    assert pairs(job, decision="accepted") == []


def test_an_answer_in_other_words_is_not_wrong(job: Path) -> None:
    foreign = {"outcome": "rejected", "reason": "response is not in the passage"}
    answers = ("nine hundred", "two cats", "every month", "5,000 pounds", "Bristol")
    fill(job, "exqa", [{"asked": f"What {at}?", "response": said, **foreign}
                       for at, said in enumerate(answers)])  # fmt: skip
    assert marked(job) == [("5,000 pounds", False), ("Bristol", False)]
    with closing(Store(store_path(job))) as store:
        store.save("evaluation", "a set")  # with which these were not compared
    assert marked(job) == []


def test_options_of_a_row_that_was_read_again(job: Path) -> None:
    run(job, "mcqa", "900 pounds")
    (row,) = examples(job, "kto")
    assert row.output.endswith(") 900")
    wrong = [line for line in row.input.splitlines() if line[:1] == "(" and line != row.output]
    assert sorted(pair.rejected for pair in examples(job, "dpo")) == sorted(wrong)
    assert [text[4:] for text in sorted(wrong, key=len)] == ["17", "a cat", "55 pounds"]


def test_an_option_that_says_the_same_as_the_answer_is_no_wrong_one(job: Path) -> None:
    asked = "Which?\n(a) thirty days\n(b) a notice of thirty days\n(c) 17"
    fill(job, "mcqa", [row(asked, "(a) thirty days", reread="thirty days")])
    assert pairs(job) == [("(a) thirty days", "(c) 17", "wrong option")]


def test_options_and_labels_of_a_row_that_nobody_confirmed_make_no_pair(job: Path) -> None:
    fill(
        job,
        "mcqa",
        [
            row("Which? (a) 900 (b) 1,200", "(a) 900"),
            row("What? (a) 900 (b) 1,200", "b", reread="1,200"),
        ],
    )
    assert pairs(job) == [("b", "a", "wrong option")]
    with closing(open_review(job)) as review:
        review.decide([1], "accepted")
    assert pairs(job) == [("(a) 900", "(b) 1,200", "wrong option"), ("b", "a", "wrong option")]


def test_labels_as_many_one_way_as_the_other(job: Path) -> None:
    said = ["yes", "yes", "Yes.", "yes", "no", "no"]
    rows = [row(f"Is it so {at}? Yes or no?", label, reread="x") for at, label in enumerate(said)]
    fill(job, "ynqa", [*rows, row("Is it new?", "no")])
    found = pairs(job)
    assert sorted(found) == [
        ("no", "yes", "other label"),
        ("no", "yes", "other label"),
        ("yes", "no", "other label"),
        ("yes", "no", "other label"),
    ]


def test_labels_of_statements_are_those_that_are_offered(job: Path) -> None:
    ask = "{} Is that an entailment, a contradiction or neutral?"
    said = [("Cats.", "entailment"), ("Dogs.", "neutral"), ("Rent.", "contradiction")]
    fill(job, "nli", [row(ask.format(name), label, reread="x") for name, label in said])
    assert len(pairs(job)) == 6
    assert {(better, worse) for better, worse, _ in pairs(job)} == {
        (better, worse) for _, better in said for _, worse in said if better != worse
    }


def test_an_export_of_a_real_job(job: Path) -> None:
    run(job, "mcqa", "900 pounds", n=3)
    made = export(job, Export("kto", parse_split("90/10")))
    assert made.total == 3
    assert preview(job, Export("kto")).rows == {"train": 3}
    lines = [json.loads(line) for line in (made.folder / "train.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines].count(True) == 1
    assert all(line["prompt"].endswith("\n") and TEXT in line["prompt"] for line in lines)
    beside = (made.folder / "provenance" / "train.jsonl").read_text().splitlines()
    assert [json.loads(line)["origin"] == "kept" for line in beside] == [
        line["label"] for line in lines
    ]
    assert export(job, Export("dpo")).rows == {"train": 3}
    made = export(job, Export("dpo", choice=Choice(decision="accepted")))
    assert (made.total, len(made.warnings)) == (0, 1)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
