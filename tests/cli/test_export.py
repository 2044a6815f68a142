from pathlib import Path

import pytest
from app_jobs import finished_job

from bonito_local.cli.main import run
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.review import open_review

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return finished_job(tmp_path / "out")


def test_a_dataset_follows_the_review(job: Path, tmp_path: Path, capsys: Capture) -> None:
    review = open_review(job)
    review.decide([1, 2], "rejected")
    review.close()
    assert run(["export", str(job), "-o", str(tmp_path / "other")]) == 0
    assert capsys.readouterr().out == f"4 rows in {tmp_path / 'other'}\n"
    assert len((tmp_path / "other" / "rows.jsonl").read_text().splitlines()) == 4
    assert run(["export", "1"]) == 0
    assert len((job / "rows.jsonl").read_text().splitlines()) == 4


def test_another_folder_is_not_written_over(job: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    assert run(["export", str(job), "-o", str(tmp_path / "mine")]) == 1
    assert "was not made by bonito-local" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]


def test_a_job_that_runs_is_not_exported(job: Path, capsys: Capture) -> None:
    with open_job(job):
        assert run(["export", str(job)]) == 1
    assert "Another process is running" in capsys.readouterr().err
