"""Unanswerable rows: a row's question of a passage near by, where no answer is found there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from scripted import Scripted, spec

from bonito_local.backends.base import Request
from bonito_local.checks.evaluation import read_evaluation
from bonito_local.checks.thresholds import Thresholds
from bonito_local.errors import UsageError
from bonito_local.jobs import generate as job
from bonito_local.jobs.borrowed import FIRST, Answered
from bonito_local.jobs.exchange import Verifier
from bonito_local.jobs.generate import generate
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.judging import CONTAMINATED, Judge
from bonito_local.jobs.launch import save
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.prompts import BONITO
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store
from bonito_local.jobs.unanswerable import (
    ANSWERED,
    LEFT_OUT,
    add_unanswerable,
    check_share,
    choose,
    tells,
)
from bonito_local.passages.types import Passage
from bonito_local.tasks import PIPE, task_type
from bonito_local.writing.instruct import InstructWriter

COUNT = 20
TEXTS = [f"The rent of house {at}0 in Leeds is {at + 300} pounds a month." for at in range(COUNT)]
PASSAGES = [Passage(text, "a.md", "ab" * 32, None, 0, len(text)) for text in TEXTS]
JUDGE = Judge(Thresholds(near_duplicate=0))
ENGINE = Scripted(lambda request, _: written(request))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "store.sqlite")) as store:
        yield store


def written(request: Request) -> str:
    """A row of Bonito's form about the passage of a request."""
    words = request.prompt.partition("house ")[2].split()
    return f"{{{{context}}}}\n\nHow high is the rent of house {words[0]}?{PIPE}{words[4]} pounds"


def reading(answer: Callable[[str], str]) -> Scripted:
    """An engine that reads a passage and answers a question by a function of it."""
    return Scripted(lambda request, _: f" {answer(request.prompt)}")


def add(store: Store, engine: Scripted, share: float, judge: Judge = JUDGE) -> Ledger:
    add_unanswerable(store, Verifier(engine, InstructWriter()), spec("exqa"), share, judge)
    return store.ledger()


def borrowed(store: Store) -> list[tuple[str, str, str, str, str]]:
    """Such samples: outcome, reason, instruction, response, and the passage."""
    return store._db.execute(
        """SELECT s.outcome, s.reason, s.instruction, s.response, p.text
           FROM samples s JOIN passages p ON p.id = s.passage WHERE s.question_of IS NOT NULL"""
    ).fetchall()


def test_a_share_of_the_rows_is_asked_of_other_passages(store: Store) -> None:
    ledger = run_job(store, ENGINE, spec("exqa"), PASSAGES, judge=JUDGE)
    assert ledger.accepted == COUNT
    reader = reading(lambda _: "Not stated.")
    ledger = add(store, reader, 0.25)
    assert (ledger.planned, ledger.accepted, ledger.pending) == (COUNT + 5, COUNT + 5, 0)
    assert len(reader.asked) == 5
    for outcome, reason, instruction, response, passage in borrowed(store):
        assert (outcome, reason, response) == ("accepted", "", "not stated")
        assert instruction.startswith(f"{passage}\n\nHow high is the rent of house ")
        house = instruction.rpartition("house ")[2].rstrip("?")
        assert f"house {house} " not in passage
    rows = {row.id.partition("-")[2]: row for row in store.chosen()}
    assert rows[f"exqa-{FIRST}"].output == "not stated"
    # The same again adds nothing; rows that come later have their share.
    assert add(store, reader, 0.25).planned == COUNT + 5
    assert add(store, reader, 0.5).planned == COUNT + 10
    places = store._db.execute("SELECT count(DISTINCT question_of) FROM samples").fetchone()
    assert places == (10,)


def test_what_the_second_reading_finds_there_is_rejected(store: Store) -> None:
    run_job(store, ENGINE, spec("exqa"), PASSAGES, judge=JUDGE)
    answers = iter(["not stated", "The terms not stated", "300 pounds", "", "NOT STATED"])
    ledger = add(store, reading(lambda _: next(answers)), 0.25)
    assert Counter(row[:2] for row in borrowed(store)) == {
        ("accepted", ""): 2,
        ("rejected", ANSWERED): 3,
    }
    assert (ledger.planned, ledger.accepted) == (COUNT + 5, COUNT + 2)
    assert sum(count.samples for count in ledger.counts) == COUNT + 5


def test_a_run_that_stops_goes_on(store: Store) -> None:
    run_job(store, ENGINE, spec("exqa"), PASSAGES, judge=JUDGE)
    reader = reading(lambda _: "not stated")
    stops = iter([False, False, False, False, True, *[True] * 20])
    add_unanswerable(
        store,
        Verifier(reader, InstructWriter()),
        spec("exqa"),
        0.5,
        JUDGE,
        stop=lambda: next(stops),
    )
    first = len(reader.asked)
    assert 0 < first < 10
    assert store.ledger().pending == 10 - first
    # What is pending is no row to write.
    assert list(store.pending()) == []
    ledger = run_job(store, reader, spec("exqa"), PASSAGES, judge=JUDGE)
    assert ledger.pending == 10 - first
    ledger = add(store, reader, 0.0)
    assert (ledger.pending, ledger.accepted, len(reader.asked)) == (0, COUNT + 10, 10)


def test_rows_that_failed_are_asked_again_and_those_of_lost_rows_are_not(store: Store) -> None:
    run_job(store, ENGINE, spec("exqa"), PASSAGES, judge=JUDGE)
    add(store, reading(lambda _: "300 pounds"), 0.1)
    assert store.ask_again(["rejected"]) == 2
    origins = "SELECT question_of FROM samples WHERE question_of IS NOT NULL LIMIT 1"
    store._db.execute(f"UPDATE samples SET outcome = 'duplicate' WHERE id = ({origins})")
    ledger = add(store, reading(lambda _: "not stated"), 0.1)
    assert Counter(row[:2] for row in borrowed(store)) == {
        ("accepted", ""): 1,
        ("rejected", LEFT_OUT): 1,
    }
    assert ledger.pending == 0


def test_none_is_in_an_evaluation_set(store: Store, tmp_path: Path) -> None:
    run_job(store, ENGINE, spec("exqa"), PASSAGES, judge=JUDGE)
    path = tmp_path / "set.jsonl"
    questions = [f"How high is the rent of house {at}0?" for at in range(COUNT)]
    path.write_text("\n".join(json.dumps({"text": text}) for text in questions))
    held = Judge(Thresholds(near_duplicate=0), evaluation=read_evaluation((path,), 13))
    add(store, reading(lambda _: "not stated"), 0.1, held)
    assert {row[1] for row in borrowed(store)} == {CONTAMINATED}


ROW = Answered("Rent is 900 pounds.\n\nHow high is the rent?", "900 pounds", "Rent is 900 pounds.")


def test_the_passage_is_about_the_question_and_without_the_answer() -> None:
    near = [(1, "Cats may be kept."), (2, "The rent is due in May."), (3, "Rent: 900, as said.")]
    assert choose(ROW, near) == 2
    assert choose(ROW, near[:1]) is None  # about something else
    assert choose(ROW, near[2:]) is None
    assert choose(Answered("How high is it?", "900", "Rent is 900."), near) is None
    assert choose(Answered(f"{ROW.passage}\n\nFind the rent.", "900", ROW.passage), near) is None


@pytest.mark.parametrize(
    ("passage", "answer", "told"),
    [
        ("The tenant gives thirty days.", "thirty days' written notice", True),
        ("The tenant gives sixty days.", "thirty days' written notice", False),
        ("It costs 30 pounds.", "thirty", True),
        ("Leeds is large.", "Leeds", True),
        ("York is large.", "Leeds", False),
        ("The rent is 900.", "The rent is due on Monday.", False),
        ("Each Monday we dine.", "The rent is due on Monday.", False),
        ("It is due each Monday.", "The rent is due on Monday.", True),
    ],
)
def test_an_answers_words(passage: str, answer: str, told: bool) -> None:
    assert tells(passage, answer, "When is the rent to be paid?") is told


def test_a_share_that_cannot_be_is_refused() -> None:
    exqa, ynqa = task_type("exqa"), task_type("ynqa")
    check_share(0.1, [ynqa, exqa])
    check_share(0, [ynqa])
    with pytest.raises(UsageError, match=r"unanswerable is 1\.5"):
        check_share(1.5, [exqa])
    with pytest.raises(UsageError, match="of exqa and qa alone"):
        check_share(0.1, [ynqa])


@pytest.fixture
def wanted(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Generation:
    monkeypatch.setattr(job, "read_documents", lambda *_, **__: iter(PASSAGES))
    tasks = (task_type("exqa"),)
    return Generation((tmp_path,), tasks, tmp_path / "out", str(tiny_gguf), unanswerable=0.2)


def test_a_job_makes_them_at_its_end(wanted: Generation, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: Request, _: int) -> str:
        if not request.prompt.endswith("Answer:"):
            words = request.prompt.rpartition("Sentence: ")[2].split()
            return f" How high is the rent of house {words[4]}?\nAnswer: {words[8]} pounds\n"
        house = request.prompt.rpartition("house ")[2].split("?")[0]
        found = request.prompt.rpartition(f"rent of house {house} in Leeds is ")[2].split()
        return f" {found[0]} pounds" if found[1] == "pounds" else " not stated"

    monkeypatch.setattr(job, "open_engine", lambda *_: Scripted(answer))
    monkeypatch.setattr(job, "writer_of", lambda *_, **__: InstructWriter())
    summary = generate(wanted)
    rows = [json.loads(line) for line in (wanted.output / "rows.jsonl").read_text().splitlines()]
    assert (summary.rows, summary.ledger.accepted) == (COUNT + 4, COUNT + 4)
    assert [row["output"] for row in rows].count("not stated") == 4
    assert json.loads((wanted.output / "ledger.json").read_text())["planned"] == COUNT + 4


def test_a_bonito_model_needs_a_verifier(
    wanted: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "open_engine", lambda *_: ENGINE)
    monkeypatch.setattr(job, "writer_of", lambda *_, **__: BONITO)
    with pytest.raises(UsageError, match="does not say that a question has no answer"):
        generate(wanted)


def test_the_share_goes_through_job_files_and_requests(wanted: Generation, tmp_path: Path) -> None:
    assert from_json(as_json(wanted), wanted.output).unanswerable == 0.2
    save(wanted, tmp_path / "job.toml")
    assert read_job(tmp_path / "job.toml").unanswerable == 0.2
