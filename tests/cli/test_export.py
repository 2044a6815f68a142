import csv
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


def test_an_export_in_another_format(job: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "chat"
    options = ["-f", "openai", "-o", str(out), "--task", "exqa", "--strip-source"]
    assert run(["export", str(job), *options]) == 0
    said = capsys.readouterr()
    assert said.out == f"6 rows in {out}\n"
    assert said.err.strip() == ("warning: The train split has 6 rows; openai takes 10 or more.")
    assert len((out / "train.jsonl").read_text().splitlines()) == 6
    assert run(["export", str(job), "--split", "60/40"]) == 0
    said = capsys.readouterr()
    assert said.out == f"6 rows (train 6, test 0) in {job / 'exports' / 'hf'}\n"
    assert "The test split is empty" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-f", "alpacca"], "Did you mean 'alpaca'?"),
        (["--split", "90/5"], "90/5/5"),
        (["--task", "exqq"], "Did you mean 'exqa'?"),
        (["--task", "nli"], "Known: exqa."),
        (["--outcome", "reject"], "Did you mean 'rejected'?"),
        (["--decision", "yes"], "Known: accepted, rejected, any, none."),
    ],
)
def test_a_wrong_option_is_told(options: list[str], said: str, job: Path, capsys: Capture) -> None:
    assert run(["export", str(job), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_report_is_a_page_of_ones_own(job: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["report", str(job)]) == 0
    page = job / "report.html"
    assert capsys.readouterr().out == f"The report is {page}\n"
    assert page.stat().st_mode & 0o777 == 0o600
    text = page.read_text(encoding="utf-8")
    assert "6 rows of instruction and response" in text
    assert "response is not in the passage" in text
    assert run(["report", str(job), "-o", str(tmp_path / "none" / "r.html")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    with open_job(job):
        assert run(["report", str(job), "-o", str(tmp_path / "r.html")]) == 0


def test_rows_come_back_from_a_spreadsheet(job: Path, tmp_path: Path, capsys: Capture) -> None:
    run(["export", str(job), "-f", "csv", "-o", str(tmp_path / "csv")])
    path = tmp_path / "csv" / "train.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["decision"] = "rejected"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    capsys.readouterr()
    assert run(["import", str(job), str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("6 rows read: 1 changed, of these 1 decided and 0 with another text.")
    run(["export", str(job)])
    assert capsys.readouterr().out == f"5 rows in {job}\n"
    assert run(["import", str(job), str(tmp_path / "none.csv")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_what_a_job_file_asks_for_is_written_too(
    job: Path, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "job.toml"
    path.write_text(
        f'documents = ["d"]\noutput = "{job}"\ntasks = ["exqa"]\n'
        '[exports]\nformats = ["csv", "alpaca"]\nstrip_source = true\n'
    )
    assert run(["export", str(path)]) == 0
    told = [f"6 rows in {folder}" for folder in (job, job / "exports/csv", job / "exports/alpaca")]
    assert capsys.readouterr().out.splitlines() == told
    head = (job / "exports" / "csv" / "train.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert head == "input,output,task_type"
    path.write_text(path.read_text().replace("alpaca", "alpacca"))
    assert run(["export", str(path)]) == 2
    assert "Did you mean 'alpaca'?" in capsys.readouterr().err
