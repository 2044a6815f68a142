"""Jobs beside other jobs and evaluation sets, through the command line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.jobs.review import open_review
from bonito_local.jobs.rows import Filter

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "documents").mkdir()
    for at in range(6):
        text = (
            f"Clause {at} of the lease says that rent is due on day {at} of each and every month."
        )
        (tmp_path / "documents" / f"{at}.txt").write_text(text)
    return tmp_path


def generate(folder: Path, output: str, *more: str) -> int:
    base = ["generate", "documents", "-t", "exqa,ynqa", "--n", "2", "--backend", "fake"]
    return run([*base, "-m", str(folder / "tiny.gguf"), "-o", output, *more])


def ends(output: Path) -> Counter[tuple[str, str]]:
    review = open_review(output)
    rows = review.page(review.first(Filter(), 99))
    review.close()
    return Counter((row.outcome, row.reason) for row in rows)


def test_rows_of_another_job_are_duplicates(folder: Path, tiny_gguf: Path, capsys: Capture) -> None:
    (folder / "tiny.gguf").write_bytes(tiny_gguf.read_bytes())
    assert generate(folder, "one") == 0
    first = ends(folder / "one")
    accepted = first["accepted", ""]
    assert generate(folder, "two", "--other-job", "one") == 1
    assert ends(folder / "two") == {("duplicate", "in another job"): first.total()}
    # Named later, and with more rows: those that were accepted are looked at again.
    assert generate(folder, "three") == 0
    assert ends(folder / "three") == first
    assert generate(folder, "three", "--other-job", "one", "--seed", "0") == 1
    assert ends(folder / "three")["duplicate", "in another job"] == accepted
    capsys.readouterr()
    assert generate(folder, "four", "--other-job", "gone") == 2
    assert "There is no job in gone" in capsys.readouterr().err
    assert generate(folder, "one", "--other-job", "one") == 2
    assert "is this job itself" in capsys.readouterr().err


def test_rows_of_an_evaluation_set_are_rejected(
    folder: Path, tiny_gguf: Path, capsys: Capture
) -> None:
    (folder / "tiny.gguf").write_bytes(tiny_gguf.read_bytes())
    held = (folder / "documents" / "0.txt").read_text()
    (folder / "test.jsonl").write_text(json.dumps({"question": "x", "context": held}))
    assert generate(folder, "one") == 0
    assert generate(folder, "one", "--evaluation", "test.jsonl") == 0
    rows = [json.loads(line) for line in (folder / "one" / "rows.jsonl").read_text().splitlines()]
    # The fake's instructions do without the passage: what it quotes is too short to tell.
    assert not any(row["input"] == held for row in rows)
    (folder / "test.jsonl").write_text(
        "\n".join(json.dumps({"q": row["input"]}) for row in rows[:3])
    )
    capsys.readouterr()
    assert generate(folder, "one", "--evaluation", "test.jsonl") == 0
    assert ends(folder / "one")["rejected", "in the evaluation set"] >= 3
    assert "in the evaluation set" in capsys.readouterr().out
    assert generate(folder, "two", "--evaluation", "test.jsonl") == 0
    # What was like a row that is rejected now is a duplicate all the same.
    assert ends(folder / "two")["accepted", ""] >= ends(folder / "one")["accepted", ""]
    assert generate(folder, "three", "--evaluation", "gone.jsonl") == 2
    assert "gone.jsonl does not exist" in capsys.readouterr().err
