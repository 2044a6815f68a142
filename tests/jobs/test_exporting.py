"""Exports of a job: which rows, where they go, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_jobs import finished_job

from bonito_local.errors import JobError, OutputError, UsageError
from bonito_local.exports.splits import parse_split
from bonito_local.jobs import output
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.exporting import export, export_again
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.folder import open_job, store_path
from bonito_local.jobs.generation import as_json, from_json
from bonito_local.jobs.removal import purge
from bonito_local.jobs.review import open_review
from bonito_local.jobs.rows import Filter
from bonito_local.jobs.store import Store


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve samples: 1, 2, 5, 6, 9, 10 accepted, 3, 7, 11 rejected, the others without text."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return finished_job(tmp_path / "out")


def rows(folder: Path, name: str = "train.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def numbers(job: Path, **choice: Any) -> list[int]:
    """Which samples a choice exports, by the number in their text."""
    made = export(job, Export("jsonl", choice=Choice(**choice)))
    return [int(row["input"].split()[-1].rstrip("?")) for row in rows(made.folder)]


def test_a_row_says_where_it_came_from(job: Path) -> None:
    review = open_review(job)
    review.decide([3], "accepted")
    review.edit(3, "Which number?", "2")
    review.score([3], 4)
    review.tag([3], "a,b")
    review.note(3, "hm")
    review.close()
    (row,) = rows(export(job, Export("jsonl", choice=Choice(decision="accepted"))).folder)
    passage = row.pop("passage_sha256")
    assert row.pop("id") == f"{passage[:16]}-exqa-0"
    assert row.pop("seed") > 0
    assert row == {
        "input": "Which number?",
        "output": "2",
        "task_type": "exqa",
        "passage": "Passage number 2.",
        "source": "doc.txt",
        "source_sha256": "ab" * 32,
        "page": None,
        "start": 40,
        "end": 58,
        "heading": "",
        "evidence": "",
        "evidence_start": None,
        "evidence_end": None,
        "model": "tiny",
        "model_sha256": "cd" * 32,
        "quantization": "",
        "backend": "scripted",
        "temperature": 0.5,
        "top_p": 0.95,
        "max_tokens": 256,
        "sample": 0,
        "version": "",
        "outcome": "rejected",
        "reason": "response is not in the passage",
        "agreement": None,
        "support": None,
        "gain": None,
        "decision": "accepted",
        "decision_reason": "",
        "edited": True,
        "score": 4,
        "tags": "a b",
        "note": "hm",
    }


def test_rows_are_chosen_by_outcome_decision_and_task(job: Path) -> None:
    review = open_review(job)
    review.decide([1, 2], "rejected", "unclear")
    review.decide([3, 5], "accepted")
    review.close()
    assert numbers(job) == [3, 5, 6, 9, 10]
    assert numbers(job, outcomes=("rejected",)) == [3, 7, 11]
    assert numbers(job, outcomes=("accepted",)) == [1, 2, 5, 6, 9, 10]
    assert numbers(job, outcomes=("accepted", "rejected"), decision="none") == [6, 7, 9, 10, 11]
    assert numbers(job, decision="accepted") == [3, 5]
    assert numbers(job, decision="rejected") == [1, 2]
    assert numbers(job, decision="any") == [1, 2, 3, 5]
    assert numbers(job, decision="none") == [6, 9, 10]
    assert numbers(job, outcomes=("unparseable",)) == []
    assert numbers(job, tasks=("exqa",)) == [3, 5, 6, 9, 10]
    for name in ("types/exqa.toml", "extractive question answering"):
        assert numbers(job, tasks=(name,)) == [3, 5, 6, 9, 10]
    with pytest.raises(UsageError, match="The job has no task type 'nli'"):
        numbers(job, tasks=("exqa", "nli"))


def test_a_choice_says_what_it_is() -> None:
    assert str(Choice()) == "accepted by the checks or by a person"
    assert str(Choice(("qa",), ("rejected",), "none")) == (
        "by the checks rejected and decided on by nobody of qa"
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Export("hff"), "Unknown format 'hff'"),
        (Export(choice=Choice(outcomes=("acepted",))), "Unknown outcome 'acepted'"),
        (Export(choice=Choice(decision="maybe")), "Unknown decision 'maybe'"),
    ],
)
def test_what_there_is_not_is_refused(job: Path, wanted: Export, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        export(job, wanted)
    assert not (job / "exports").exists()


def test_the_dataset_and_the_exports_of_a_job_are_written_again(job: Path) -> None:
    with open_job(job) as store:
        request = from_json(store.load("request"), job)
        wanted = Export("openai", parse_split("60/40"), Choice(decision="none"), strip_source=True)
        changed = as_json(request) | {"exports": as_json_exports(wanted)}
        store.save("request", changed)
        assert from_json(changed, job).exports == (wanted,)
    made = export_again(job)
    assert [written.folder for written in made] == [job, job / "exports" / "openai"]
    assert made[0].total == 6
    assert (job / "exports" / "openai" / "export.json").exists()


def as_json_exports(*wanted: Export) -> Any:
    from dataclasses import asdict

    return json.loads(json.dumps([asdict(export) for export in wanted]))


def test_a_request_of_an_earlier_version_has_no_exports(job: Path) -> None:
    with open_job(job) as store:
        request = store.load("request")
    del request["exports"]
    assert from_json(request, job).exports == ()


def test_foreign_folders_are_left_alone(job: Path, tmp_path: Path) -> None:
    other = finished_job(tmp_path / "other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for folder, said in (
        (tmp_path / "mine", "was not made by bonito-local"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "file" / "below", "cannot be written to"),
        (other, "holds a job"),
        (job, "where the job and its whole dataset are"),
    ):
        with pytest.raises(OutputError, match=said):
            export(job, Export("jsonl"), folder)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
    assert [path.name for path in other.iterdir()] == [".job"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_no_folder(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def full(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        new = ".part" in str(path) and flags & os.O_CREAT
        return real("/dev/full", os.O_WRONLY) if new else real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OutputError, match="No space left on device"):
        export(job, Export("jsonl"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_written_is_told(job: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written to /proc/nowhere/out"):
        export(job, Export("jsonl"), Path("/proc/nowhere/out"))


def test_two_exports_at_once_do_not_mix(job: Path, tmp_path: Path) -> None:
    """The second waits for nothing: it is told, and the first is whole."""
    other = finished_job(tmp_path / "other", 40)
    target = tmp_path / "shared"
    code = """
import sys
from pathlib import Path
from bonito_local.jobs import exporting
job, target = map(Path, sys.argv[1:])
real = exporting.write_output
def slow(*args):
    print("begun", flush=True)
    sys.stdin.readline()
    return real(*args)
exporting.write_output = slow
exporting.export(job, exporting.Export("jsonl"), target)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(other), str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdin
        assert first.stdout
        assert first.stdout.readline() == "begun\n"
        with pytest.raises(OutputError, match="Another export is being written"):
            export(job, Export("jsonl"), target)
        with pytest.raises(JobError, match="Another process"):
            export(other, Export("jsonl"))
        first.stdin.write("\n")
        first.stdin.flush()
        assert first.wait(60) == 0
    assert len(rows(target)) == 20
    assert sorted(path.name for path in target.glob(".*")) == []
    export(job, Export("jsonl"), target)
    assert len(rows(target)) == 6


def test_a_purge_takes_the_exports_too(job: Path) -> None:
    export_again(job)
    export(job, Export("openai"))
    (job / "exports" / "mine.txt").write_text("mine")
    deleted = {path.relative_to(job).as_posix() for path in purge(job)}
    assert {"rows.jsonl", "exports/openai/train.jsonl", "plots/tasks.svg"} <= deleted
    assert [p for p in job.rglob("*") if p.is_file()] == [job / "exports" / "mine.txt"]


def test_an_export_of_no_job(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="There is no job"):
        export(tmp_path / "none", Export("jsonl"))
    assert not store_path(tmp_path / "none").exists()


def test_an_export_is_of_one_moment(
    job: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rows are read more than once, and a person may decide on some in between."""
    before = export(job, Export("jsonl"), tmp_path / "before")
    real = output.placing
    reviews: list[int] = []

    def decided_meanwhile(store: Store, wanted: Export) -> Callable[[str], str]:
        review = open_review(job)
        numbers = list(review.numbers(Filter(outcome="accepted")) or [])
        reviews.append(review.decide(numbers, "rejected", "late"))
        review.close()
        return real(store, wanted)

    monkeypatch.setattr(output, "placing", decided_meanwhile)
    made = export(job, Export("jsonl"), tmp_path / "made")
    assert reviews[0] > 0
    assert made.total == before.total
    names = ("before", "made")
    first, second = ((tmp_path / name / "train.jsonl").read_bytes() for name in names)
    assert first == second
    monkeypatch.undo()
    assert export(job, Export("jsonl"), tmp_path / "after").total == 0
