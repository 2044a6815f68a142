"""Review by commands: what the app does by keys."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from app_jobs import finished_job

from bonito_local.cli.main import run

Said = Callable[..., str]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Twelve samples: of four one does not parse and one's answer is not in its passage."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return str(finished_job(tmp_path / "out"))


@pytest.fixture
def said(job: str, capsys: pytest.CaptureFixture[str]) -> Said:
    """What `bonito-local review JOB ...` prints."""

    def said(*args: str) -> str:
        capsys.readouterr()
        assert run(["review", job, *args]) == 0
        return capsys.readouterr().out

    return said


def rows(job: str) -> list[str]:
    assert run(["export", job]) == 0
    lines = (Path(job) / "rows.jsonl").read_text().splitlines()
    return [json.loads(line)["output"] for line in lines]


def test_rows_are_decided_on_and_the_dataset_follows(job: str, said: Said) -> None:
    before = rows(job)
    assert len(before) == 6
    assert said("--rows", "3", "--accept") == "accepted: 1 row\n"
    assert said("--rows", "1-2,7", "--outcome", "accepted", "--reject") == "rejected: 2 rows\n"
    assert len(rows(job)) == 5
    said("--rows", "5", "--instruction", "Which one?", "--response", "mine")
    assert "mine" in rows(job)
    said("--decision", "rejected", "--clear")
    assert len(rows(job)) == 7
    for taken in ("2 rows", "1 row", "2 rows", "1 row"):
        assert said("--undo") == f"taken back: {taken}\n"
    assert said("--undo") == "There is nothing to take back.\n"
    assert rows(job) == before


def test_rows_are_shown_for_people_and_for_programs(said: Said) -> None:
    said("--rows", "1", "--score", "4")
    said("--rows", "1,2", "--tags", "rent, lease")
    said("--rows", "1", "--note", "ask Ann")
    told = said("--limit", "1")
    assert "score 4; rent lease; ask Ann" in told
    assert "1 of 12 rows shown" in told
    (line,) = said("--json", "--text", "number 8").splitlines()
    row = json.loads(line)
    assert (row["id"], row["outcome"], row["source"]) == (9, "accepted", "doc.txt")
    assert said("--json", "--document", "doc.txt").count("\n") == 12
    assert said("--json", "--task", "extractive question answering").count("\n") == 12


def test_numbers_come_from_another_program(
    job: str, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n2 5\n"))
    assert said("--rows", "-", "--reject", "--reason", "private") == "rejected: 3 rows\n"
    assert len(rows(job)) == 3
    assert said("--rows", "11-12 2-9,4-5 1-1", "--json").count("\n") == 11


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["--accept"], "not said which rows"),
        (["--all", "--accept", "--score", "3"], "More than one thing"),
        (["--all", "--accept", "--reason", "private"], "A reason is for rejected"),
        (["--all", "--note", "x"], "for one row, not 12"),
        (["--rows", "three"], "no number"),
        (["--document", "nope"], "No document nope"),
        (["--task", "exqq"], "exqa"),
        (["--rows", "1", "--response", "x"], "needs an instruction"),
        (["--outcome", "unparseable", "--accept"], "None of these rows"),
        (["--rows", "99", "--note", "x"], "for one row, not 0"),
    ],
)
def test_what_cannot_be_is_said(
    job: str, said: Said, capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    assert run(["review", job, *args]) in (1, 2)
    assert why in capsys.readouterr().err
    assert said("--undo") == "There is nothing to take back.\n"


def test_a_document_is_named_by_its_path_where_others_are_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    for name in ("a/lease.txt", "b/lease.txt"):
        path = tmp_path / "documents" / name
        path.parent.mkdir(parents=True)
        path.write_text(f"The lease in {name[0]} says that rent is due on the first of a month.")
    asked = ["generate", "documents", "-t", "exqa", "--backend", "fake", "-o", "out"]
    assert run(asked) == 0
    path.write_text("The lease says now that rent is due on the fifth day of each month.")
    assert run(asked) == 0
    capsys.readouterr()
    assert run(["review", "out", "--document", "lease.txt"]) == 2
    assert "2 documents are called lease.txt" in capsys.readouterr().err
    assert run(["review", "out", "--document", "documents/b/lease.txt", "--json"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["fifth" in row["passage"] for row in shown] == [False, True]
