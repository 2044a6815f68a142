"""Rows reviewed elsewhere: what comes back, and what a file with a fault does (nothing)."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_jobs import finished_job

from bonito_local.errors import JobError, UsageError
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import Choice, Reviewed
from bonito_local.jobs.control import retry
from bonito_local.jobs.exporting import export
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.importing import Imported, import_rows
from bonito_local.jobs.review import Review, open_review

ALL = Choice(outcomes=("accepted", "rejected"))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve samples: 1, 2, 5, 6, 9, 10 accepted, 3, 7, 11 rejected, the others without text."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return finished_job(tmp_path / "out")


@pytest.fixture
def review(job: Path) -> Iterator[Review]:
    review = open_review(job)
    yield review
    review.close()


def exported(job: Path, form: str = "jsonl") -> list[dict[str, Any]]:
    """The rows of an export, as a program reads them."""
    made = export(job, Export(form, Split(), ALL))
    path = made.folder / f"train.{form}"
    if form == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text().splitlines()]


def as_file(path: Path, rows: list[dict[str, Any]], **form: str) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), **form)  # type: ignore[arg-type]
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_export_that_was_not_changed_changes_nothing(
    form: str, job: Path, review: Review, tmp_path: Path
) -> None:
    review.decide([1], "rejected", "unclear")
    review.edit(2, "Other?", "Other.")
    path = as_file(tmp_path / f"same.{form}", exported(job, form))
    assert import_rows(job, path) == Imported(9, 0, 0, 0)
    assert review.reviewed() == Reviewed(0, 1, 1)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", {}),
        ("a.csv", {}),
        ("a.csv", {"delimiter": ";"}),
        ("a.tsv", {"delimiter": "\t"}),
        ("a.csv", {"quoting": csv.QUOTE_ALL, "lineterminator": "\n"}),
    ],
)
def test_decisions_and_texts_come_back(
    name: str, form: dict[str, Any], job: Path, review: Review, tmp_path: Path
) -> None:
    rows = exported(job, "jsonl" if name.endswith("jsonl") else "csv")
    rows[0] |= {"decision": "rejected", "decision_reason": "too easy", "note": "über"}
    rows[2] |= {"decision": "Accepted", "output": "line one\nline two", "score": "4"}
    rows[3] |= {"tags": "b, a b"}
    assert import_rows(job, as_file(tmp_path / name, rows, **form)) == Imported(9, 3, 2, 1)
    first, third, fifth = review.page([1, 3, 5])
    assert (first.decision, first.why, first.note) == ("rejected", "too easy", "über")
    assert (third.decision, third.response, third.score) == ("accepted", "line one\nline two", 4)
    assert third.instruction == "Which passage is this, of 3?"
    assert fifth.tags == "b a"
    assert sorted(review.undo()) == [1, 3, 5]
    assert review.reviewed() == Reviewed(0, 0, 0)


def test_a_few_columns_are_enough(job: Path, review: Review, tmp_path: Path) -> None:
    ids = [row["id"] for row in exported(job)]
    path = tmp_path / "few.csv"
    path.write_text(f"\ufeffdecision,id\nrejected,{ids[0]}\n\n,{ids[1]}\n", encoding="utf-8")
    assert import_rows(job, path) == Imported(2, 1, 1, 0)
    assert review.reviewed() == Reviewed(0, 1, 0)


def test_a_stale_text_does_not_take_back_a_newer_one(
    job: Path, review: Review, tmp_path: Path
) -> None:
    path = as_file(tmp_path / "a.jsonl", exported(job))
    review.edit(1, "A better question?", "A better answer.")
    review.decide([1], "accepted")
    assert import_rows(job, path).changed == 0
    (row,) = review.page([1])
    assert (row.response, row.decision) == ("A better answer.", "accepted")


def test_a_row_written_anew_is_not_taken_for_the_old_one(
    job: Path, review: Review, tmp_path: Path
) -> None:
    rows = exported(job)
    rejected = [row for row in rows if row["outcome"] == "rejected"]
    retry(job, ["rejected"])
    path = as_file(tmp_path / "a.jsonl", [rejected[0] | {"decision": "accepted"}])
    with pytest.raises(UsageError, match="has yet to be written"):
        import_rows(job, path)
    with open_job(job) as store:
        store._db.execute(
            "UPDATE samples SET outcome = 'accepted', instruction = 'i', response = 'r', "
            "digest = x'00' WHERE id = 3"
        )
    with pytest.raises(UsageError, match=r"was written anew since, as [0-9a-f]{16}-exqa-0\.1"):
        import_rows(job, path)


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"id": "0123456789abcdef-exqa-0"}, "the job has no row 0123456789abcdef-exqa-0"),
    ({"id": "../../etc"}, "the job has no row"),
    ({"id": ""}, "it has no id"),
    ({"id": None}, "it has no id"),
    ({"decision": "maybe"}, "'maybe' is neither accepted nor rejected"),
    ({"decision": 5}, "its decision is not text"),
    ({"output": ["a"]}, "its output is not text"),
    ({"score": "9"}, "a score of 9: give 1 to 5"),
    ({"score": True}, "a score of True"),
    ({"score": 2.5}, "a score of 2.5"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_one_wrong_line_keeps_all_from_being_taken(
    fault: dict[str, Any], said: str, job: Path, review: Review, tmp_path: Path
) -> None:
    rows = [row | {"decision": "rejected"} for row in exported(job)]
    rows[4] |= fault
    with pytest.raises(UsageError) as caught:
        import_rows(job, as_file(tmp_path / "a.jsonl", rows))
    assert "one line cannot be" in caught.value.title
    assert f"line 5: {said}" in caught.value.title or said in caught.value.title
    assert review.reviewed() == Reviewed(0, 0, 0)
    assert review.undo() == []


def test_broken_lines_are_named_and_the_first_ten_suffice(
    job: Path, review: Review, tmp_path: Path
) -> None:
    rows = [json.dumps(row | {"decision": "accepted"}) for row in exported(job)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([rows[0], "{half", "[1]", *rows[:1], *["?"] * 30]))
    with pytest.raises(UsageError) as caught:
        import_rows(job, path)
    lines = caught.value.title.splitlines()
    assert lines[1] == "line 2: it is not JSON"
    assert lines[2] == "line 3: it is not an object"
    assert lines[3].endswith("is on line 1 too")
    assert (len(lines), lines[-1]) == (12, "... 33 in all")
    assert review.reviewed() == Reviewed(0, 0, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,decision\n{id},rejected,more\n", "it has 3 fields, the first line has 2"),
        ("id,decision\n{id}\n", "it has 1 fields, the first line has 2"),
        ('id,decision\n{id},"rejected\n', "it is not CSV"),
        ("name,decision\n{id},rejected\n", "has no column id"),
        ("", "has no column id"),
        ("id,comment\n{id},rejected\n", "has nothing to take: its columns are id, comment"),
        ("id,decision\n", "holds no rows"),
    ],
)
def test_csv_that_is_not_one(
    text: str, said: str, job: Path, review: Review, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text.format(id=exported(job)[0]["id"]))
    with pytest.raises(UsageError) as caught:
        import_rows(job, path)
    assert said in caught.value.title
    assert caught.value.remedy
    assert review.reviewed() == Reviewed(0, 0, 0)


@pytest.mark.timeout(60)
@pytest.mark.skipif(os.name != "posix", reason="a pipe of POSIX")
def test_files_that_cannot_be_read(job: Path, tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("id,note\nx,\xfcber\n".encode("latin-1"))
    os.mkfifo(tmp_path / "pipe.csv")
    for path, said in (
        (latin, "is not UTF-8"),
        (tmp_path / "pipe.csv", "cannot be read: it is no ordinary file"),
        (tmp_path / "none.csv", "cannot be read: No such file"),
        (tmp_path / "rows.xlsx", "is neither CSV nor JSONL"),
    ):
        with pytest.raises(UsageError, match=said):
            import_rows(job, path)


def test_a_row_without_text_is_not_accepted_but_may_be_written(
    job: Path, review: Review, tmp_path: Path
) -> None:
    (shown,) = review.page([4])
    row = exported(job)[0]
    with open_job(job) as store:
        (digest,) = store._db.execute(
            "SELECT hash FROM passages WHERE id = ?", (shown.passage_id,)
        ).fetchone()
    bare = {"id": f"{digest[:16]}-{row['task_type']}-0", "decision": "accepted"}
    with pytest.raises(UsageError, match="no text that could be accepted"):
        import_rows(job, as_file(tmp_path / "a.jsonl", [bare]))
    whole = bare | {"input": "Mine?", "output": "Yes."}
    assert import_rows(job, as_file(tmp_path / "a.jsonl", [whole])).edited == 1
    assert [row.output for row in review.chosen(Choice(decision="accepted"))] == ["Yes."]


def test_nothing_is_imported_into_a_job_at_work(job: Path, tmp_path: Path) -> None:
    path = as_file(tmp_path / "a.jsonl", exported(job))
    with open_job(job), pytest.raises(JobError, match="Another process"):
        import_rows(job, path)
    with pytest.raises(JobError, match="no job"):
        import_rows(tmp_path / "none", path)
    assert not (tmp_path / "none").exists()
