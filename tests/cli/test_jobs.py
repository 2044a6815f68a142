"""Jobs through the command line: from a job file to a deleted job."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.jobs.folder import is_running
from bonito_local.jobs.state import job_state

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Path:
    """A job file in the current folder, written by `new`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "documents").mkdir()
    for at in range(5):
        text = f"Clause {at} says that rent is due on day {at} of each month, and no later."
        (tmp_path / "documents" / f"{at}.txt").write_text(text)
    command = ["new", "jobs/job.toml", "documents", "-t", "exqa,ynqa", "--backend", "fake"]
    (tmp_path / "jobs").mkdir()
    assert run([*command, "--model", str(tiny_gguf), "-o", "out"]) == 0
    assert "`bonito-local run jobs/job.toml` runs it." in capsys.readouterr().out
    return tmp_path / "jobs" / "job.toml"


def test_from_a_file_to_a_dataset_and_away(file: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["run", str(file)]) == 0
    assert "10 rows in" in capsys.readouterr().out
    row = json.loads((tmp_path / "out" / "rows.jsonl").read_text().splitlines()[0])
    assert row["source"] == "../documents/0.txt"  # As the file names it: the job may move.
    assert run(["jobs"]) == 0
    _, listed = capsys.readouterr().out.splitlines()
    assert listed.split()[:4] == ["1", "finished", "10/10", "10"]
    assert listed.endswith("/out")
    for name in ("1", "out", str(file)):
        assert run(["status", name]) == 0
        assert "all       10       10 " in capsys.readouterr().out
    assert run(["status", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "finished"
    assert told["ledger"]["outcomes"]["accepted"] == 10
    assert run(["retry", "1"]) == 0
    assert capsys.readouterr().out == "0 samples are pending again.\n"
    assert run(["rm", "1", "--purge", "--yes"]) == 0
    assert not (tmp_path / "out").exists()
    assert run(["status", "1"]) == 2
    assert "There is no job 1." in capsys.readouterr().err


def test_generate_and_run_make_the_same_rows(
    file: Path, tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["run", str(file)]) == 0
    monkeypatch.chdir(file.parent)
    command = ["generate", "../documents", "-t", "exqa,ynqa", "--backend", "fake", "-o", "../two"]
    assert run([*command, "--model", str(tiny_gguf)]) == 0
    rows = (tmp_path / "two" / "rows.jsonl").read_bytes()
    assert rows == (tmp_path / "out" / "rows.jsonl").read_bytes()


def test_another_backend_is_another_job(file: Path, capsys: Capture) -> None:
    assert run(["run", str(file)]) == 0
    assert run(["run", str(file), "--backend", "llamacpp"]) == 1
    assert "backend 'fake' -> 'llamacpp'" in capsys.readouterr().err


def test_detached_paused_resumed(file: Path, tmp_path: Path, capsys: Capture) -> None:
    text = file.read_text().replace('"fake"', '"llamacpp"').replace("# guided", "guided")
    text = text.replace("n = 1 ", "n = 40 ").replace("max_tokens = 256", "max_tokens = 24")
    # What a model of random weights asks is noise.
    text = text.replace('# skip = ["repeats itself"]', 'skip = ["asks nothing"]')
    file.write_text(text)
    assert run(["run", str(file), "--detach", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = job_state(tmp_path / "out").run
    assert found is not None
    assert told == {"output": str(tmp_path / "out"), "pid": found.pid}
    assert run(["pause", "1"]) == 0
    assert "`bonito-local resume 1` goes on." in capsys.readouterr().out
    assert run(["jobs"]) == 0
    assert "paused" in capsys.readouterr().out
    assert run(["pause", "1"]) == 1
    assert "No process works on the job" in capsys.readouterr().err
    assert run(["logs", "1"]) == 0
    assert "run begins" in capsys.readouterr().out
    assert run(["resume", "1", "--json"]) == 0
    printed, shown = capsys.readouterr()
    assert "400/400" in shown
    assert json.loads(printed)["ledger"]["planned"] == 400
    assert job_state(tmp_path / "out").ledger.planned == 400
    assert not is_running(tmp_path / "out")


def test_a_job_that_waits_says_so(file: Path, tmp_path: Path) -> None:
    from bonito_local.jobs.turns import turn

    command = [sys.executable, "-m", "bonito_local", "run", str(file)]
    with turn(tmp_path / "other", "fake", 0, lambda _: None, pytest.fail, lambda: False):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if is_running(tmp_path / "out") and job_state(tmp_path / "out").state == "waiting":
                break
            time.sleep(0.05)
        assert job_state(tmp_path / "out").state == "waiting"
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"waiting: another job uses the fake engine" in shown


def test_deleting_is_asked_about(file: Path, tmp_path: Path, capsys: Capture) -> None:
    assert run(["run", str(file)]) == 0
    assert run(["rm", "out", "--purge"]) == 2
    assert "Add --yes" in capsys.readouterr().err
    assert (tmp_path / "out" / "rows.jsonl").exists()
    assert run(["rm", "out"]) == 0
    capsys.readouterr()
    assert run(["jobs"]) == 0
    assert "There are no jobs." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "title"),
    [
        (["run", "gone.toml"], "cannot be read"),
        (["new", "x.toml", "-t", "qa"], "No documents were named"),
        (["new", "jobs/job.toml", "d", "-t", "qa"], "exists"),
        (["resume", "gone"], "There is no job in gone"),
        (["status", "99"], "There is no job 99"),
    ],
)
def test_what_cannot_be_is_one_line(
    file: Path, capsys: Capture, args: list[str], title: str
) -> None:
    assert run(args) in (1, 2)
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert title in first
    assert len(rest) <= 1


def test_a_job_is_gone_on_with_from_any_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(file.parent)
    asked = ["generate", "../documents", "-t", "exqa,ynqa", "--backend", "fake", "-o", "../out"]
    assert run(asked) == 0
    rows = tmp_path / "out" / "rows.jsonl"
    written = rows.read_bytes()
    rows.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    capsys.readouterr()
    before = set(tmp_path.rglob("*"))
    assert run(["resume", "../out"]) == 0
    assert "10 rows in" in capsys.readouterr().out
    assert rows.read_bytes() == written
    monkeypatch.chdir(tmp_path / "out")
    assert run(["resume", "."]) == 0
    assert set(tmp_path.rglob("*")) - before == {rows}
