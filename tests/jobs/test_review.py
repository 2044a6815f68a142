"""What a person decides: kept, undone, void for another text, and honoured by the dataset."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted import Scripted, passages, spec, unique

from bonito_local.errors import JobError
from bonito_local.jobs.chosen import Reviewed
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.review import Review, open_review
from bonito_local.jobs.rows import Filter
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.state import job_state
from bonito_local.jobs.store import Store
from bonito_local.tasks import PIPE


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A job of six passages: of each second one what was written does not parse."""

    def answer(request: object, sample: int) -> str:
        number = int(request.id.split("/")[0])  # type: ignore[attr-defined]
        return unique(request, sample) if number % 2 else "no marker"  # type: ignore[arg-type]

    output = tmp_path / "out"
    store = Store(store_path(output))
    run_job(store, Scripted(answer), spec(), passages(6))
    store.close()
    return output


@pytest.fixture
def review(output: Path) -> Review:
    return open_review(output)


def kept(review: Review) -> list[str]:
    store = Store(review.path)
    try:
        return [row.input for row in store.chosen()]
    finally:
        store.close()


def test_rows_are_filtered_and_paged(review: Review) -> None:
    assert list(review.numbers(Filter()) or []) == [1, 2, 3, 4, 5, 6]
    assert list(review.numbers(Filter(outcome="accepted")) or []) == [1, 3, 5]
    assert review.first(Filter(outcome="unparseable"), 2) == [2, 4]
    assert list(review.numbers(Filter(task="exqa")) or []) == []
    assert list(review.numbers(Filter(documents=(1,))) or []) == [1, 2, 3, 4, 5, 6]
    assert list(review.numbers(Filter(text="passage number 2")) or []) == [3]
    assert list(review.numbers(Filter(text="100%_")) or []) == []
    (row,) = review.page([3])
    assert (row.task, row.outcome, row.passage, row.source) == (
        "ynqa",
        "accepted",
        "Passage number 2.",
        "doc.txt",
    )
    assert [row.id for row in review.latest(2)] == [6, 5]
    assert review.documents() == [(1, "doc.txt")]
    assert [number for number, _ in review.around(2, 1)] == [1, 2, 3]
    assert review.numbers(Filter(), stop=lambda: True) is None


def test_decisions_decide_what_is_exported(review: Review) -> None:
    assert kept(review) == [f"Is this row 0 of {n}/ynqa?" for n in (1, 3, 5)]
    assert review.decide([1], "rejected", "unclear") == 1
    review.edit(3, " Better? ", "yes")
    assert kept(review) == ["Better?", "Is this row 0 of 5/ynqa?"]
    (first,) = review.page([1])
    assert (first.decision, first.why, first.kept) == ("rejected", "unclear", False)
    assert review.reviewed() == Reviewed(accepted=0, rejected=1, edited=1)
    assert list(review.numbers(Filter(decision="any")) or []) == [1]
    assert list(review.numbers(Filter(decision="none")) or []) == [2, 3, 4, 5, 6]


def test_what_has_no_text_is_accepted_only_once_it_is_edited(review: Review) -> None:
    with pytest.raises(JobError, match="no instruction and response"):
        review.decide([2], "accepted")
    assert review.decide([1, 2], "accepted") == 1
    review.edit(2, "Written by hand?", "yes")
    assert review.decide([2], "accepted") == 1
    assert "Written by hand?" in kept(review)
    with pytest.raises(JobError, match="needs an instruction"):
        review.edit(1, "", "yes")


def test_every_step_is_undone_in_turn(review: Review) -> None:
    before = review.page([1, 3])
    review.decide([1, 3], "rejected")
    review.score([3], 4)
    review.tag([3], "lease, rent lease")
    review.note(3, "ask Ann")
    (row,) = review.page([3])
    assert (row.decision, row.score, row.tags, row.note) == ("rejected", 4, "lease rent", "ask Ann")
    for _ in range(3):
        assert review.undo() == [3]
    assert review.page([3])[0].decision == "rejected"
    assert review.undo() == [1, 3]
    assert review.page([1, 3]) == before
    assert review.undo() == []
    with pytest.raises(JobError, match="score of 6"):
        review.score([3], 6)


def test_many_rows_are_one_step_in_parts(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bonito_local.jobs.review._PART", 2)
    review.note(3, "ask Ann")
    before = review.page(range(1, 7))
    assert review.decide(range(1, 7), "rejected", "private") == 6
    assert review.reviewed() == Reviewed(0, 6, 0)
    assert review.page([3])[0].note == "ask Ann"
    assert review.decide(range(1, 7), "accepted") == 3
    assert review.reviewed() == Reviewed(3, 3, 0)
    assert sorted(review.undo()) == [1, 3, 5]
    assert review.reviewed() == Reviewed(0, 6, 0)
    assert sorted(review.undo()) == [1, 2, 3, 4, 5, 6]
    assert review.page(range(1, 7)) == before
    with pytest.raises(JobError, match="None of these rows"):
        review.decide([2, 4], "accepted")


def test_what_is_not_there_or_has_not_ended_is_passed_over(review: Review, output: Path) -> None:
    store = Store(store_path(output))
    store.ask_again(["unparseable"])
    store.close()
    assert review.decide([1, 2, 99], "rejected") == 1
    assert review.undo() == [1]


def test_a_decision_is_void_for_another_text(review: Review, output: Path) -> None:
    review.decide([1], "rejected")
    store = Store(store_path(output))
    assert store.ask_again(["accepted"]) == 3
    run_job(store, Scripted(lambda *_: f"New?{PIPE}yes"), spec(), None)
    store.close()
    assert review.page([1])[0].decision == ""
    assert kept(review) == ["New?"]
    review.note(1, "of the new text")
    (row,) = review.page([1])
    assert (row.decision, row.note) == ("", "of the new text")


def test_looking_at_a_job_keeps_its_review_safe(review: Review, output: Path) -> None:
    """Closing a file that SQLite has open frees its locks: others would then drop its log."""
    review.score([1], 3)
    assert job_state(output).ledger.planned == 6
    elsewhere = "import sys, sqlite3; db = sqlite3.connect(sys.argv[1]);"
    count = (
        f"{elsewhere} print(db.execute('SELECT count(*) FROM reviews').fetchone()[0]); db.close()"
    )

    def seen() -> str:
        ended = subprocess.run(
            [sys.executable, "-c", count, str(review.path)],
            capture_output=True,
            text=True,
            check=True,
        )
        return ended.stdout.strip()

    assert seen() == "1"
    assert review.decide([3], "rejected", "private") == 1
    assert seen() == "2"
    assert review.reviewed() == Reviewed(0, 1, 0)


def test_a_job_that_may_not_be_written_to_is_one_error(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.access
    store = store_path(output)
    monkeypatch.setattr(os, "access", lambda path, mode: path != store and real(path, mode))
    with pytest.raises(JobError, match="cannot be written: it is read-only"):
        Store(store)
