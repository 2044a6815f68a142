"""A whole job scored by a real engine on a tiny model, through the command line."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from bonito_local.backends.base import Framed
from bonito_local.cli.main import run
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.prompts import BONITO
from bonito_local.jobs.scoring import alike
from bonito_local.jobs.signals import StopSignals
from bonito_local.jobs.store import Store
from bonito_local.tasks import CONTEXT, PIPE, format_prompt, task_type
from bonito_local.writing.chat import Frame
from bonito_local.writing.instruct import InstructWriter

PASSAGE = "Either party may end the agreement by giving thirty days' notice to the other."
JOB = """\
documents = ["a.txt"]
output = "out"
tasks = ["exqa", "ynqa"]
model = "{model}"
guided = true
[sampling]
n = 6
max_tokens = 60
[checks]
skip = ["asks nothing", "not English", "response breaks off", "response says nothing",
    "repeats itself"]
"""


@pytest.fixture
def job(tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(PASSAGE)
    (tmp_path / "job.toml").write_text(JOB.format(model=tiny_gguf))
    assert run(["run", "job.toml"]) == 0
    return tmp_path / "out"


def rows_of(job: Path) -> int:
    return len((job / "rows.jsonl").read_text().splitlines())


def test_scores_of_a_job(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = rows_of(job)
    assert before >= 4
    lines = [json.loads(line) for line in (job / "rows.jsonl").read_text().splitlines()]
    kinds = len({(row["passage"], row["task_type"]) for row in lines})
    assert run(["score", "out"]) == 0
    assert f"{before} rows in" in capsys.readouterr().out
    with closing(Store(store_path(job))) as store:
        assert store.unscored(0, 9) == []
        found = store._db.execute("SELECT sample, name, value FROM scores").fetchall()
    scores: dict[str, list[float]] = {}
    for _, name, value in found:
        scores.setdefault(name, []).append(value)
    assert {name: len(values) for name, values in scores.items()} == dict.fromkeys(
        ("agreement", "support", "gain"), before
    )
    assert all(0 <= value <= 1 for value in scores["agreement"])
    assert all(value < 0 for value in scores["support"])
    shown = [json.loads(line) for line in (job / "rows.jsonl").read_text().splitlines()]
    for name, values in scores.items():
        assert sorted(row[name] for row in shown) == sorted(values)
    assert "## Scores of the model itself" in (job / "README.md").read_text()
    # Scores stay as they are, and select.
    middle = sorted(scores["support"])[before // 2]
    assert run(["score", "out", "--least", f"support={middle}"]) == 0
    assert rows_of(job) == before - before // 2
    with closing(Store(store_path(job))) as store:
        again = store._db.execute("SELECT sample, name, value FROM scores").fetchall()
    assert again == found
    assert run(["score", "out", "--best", "1", "--by", "support"]) == 0
    assert rows_of(job) == kinds
    assert run(["score", "out", "--all"]) == 0
    assert rows_of(job) == before


@pytest.mark.parametrize(
    ("more", "title"),
    [
        (["--least", "agreement"], "is no score"),
        (["--least", "agreemnt=1"], "There is no score 'agreemnt'"),
        (["--best", "-1"], "best is -1"),
    ],
)
def test_what_cannot_be_selected(
    job: Path, more: list[str], title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["score", "out", *more]) == 2
    assert title in capsys.readouterr().err


def test_the_fake_cannot_score(
    tmp_path: Path,
    tiny_gguf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(PASSAGE)
    command = ["generate", "a.txt", "-t", "ynqa", "--backend", "fake", "-m", str(tiny_gguf)]
    assert run([*command, "-o", "out", "--balance"]) == 0
    assert run(["score", "out"]) == 2
    assert "The fake backend gives no probabilities" in capsys.readouterr().err


def test_how_a_row_begins() -> None:
    task, instruction = task_type("qa"), f"{CONTEXT}\n\nHow?\n"
    wanted = format_prompt(task, PASSAGE) + f"{CONTEXT}\n\nHow?\n{PIPE}\n"
    assert BONITO.beginning(task, PASSAGE, instruction) == wanted
    # Any other model is asked the question alone.
    chat = InstructWriter(Frame("<user>", "<model>"), Frame("<system><user>", "<model>"))
    begun = chat.beginning(task, PASSAGE, instruction)
    assert begun == f"<user>{PASSAGE}\n\nHow?<model>"
    assert isinstance(begun, Framed)
    assert InstructWriter().beginning(task, "", "How?\n") == "How?\n\n"


def test_alike() -> None:
    assert alike("thirty days", "Thirty days.") == 1
    assert alike("thirty days", "thirty working days") == pytest.approx(0.8)
    assert alike("", "x") == 0
    assert alike("!", "?") == 1


def test_a_job_is_scored_from_any_folder(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_gguf: Path
) -> None:
    before = rows_of(job)
    request = json.loads((tmp_path / "job.toml").read_text().split("model = ")[1].splitlines()[0])
    model = tmp_path / "models" / "m.gguf"
    model.parent.mkdir()
    model.symlink_to(request)
    text = JOB.format(model="models/m.gguf").replace('"out"', '"two"')
    (tmp_path / "two.toml").write_text(text)
    assert run(["run", "two.toml"]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(["score", "../two"]) == 0
    assert rows_of(tmp_path / "two") == before


def test_a_job_is_scored_by_the_model_that_wrote_it(
    job: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job.toml"
    model = tmp_path / "m.gguf"
    model.write_bytes(
        Path(json.loads(path.read_text().split("model = ")[1].splitlines()[0])).read_bytes()
    )
    path.write_text(JOB.format(model=model).replace('"out"', '"two"'))
    assert run(["run", "job.toml"]) == 0
    with model.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    capsys.readouterr()
    assert run(["score", "two"]) == 1
    assert "is not the model that wrote the rows any more" in capsys.readouterr().err
    with closing(Store(store_path(tmp_path / "two"))) as store:
        assert store.unscored(0, 1)


def test_scoring_that_is_stopped_says_so_and_leaves_the_dataset(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (job / "rows.jsonl").read_bytes()
    with monkeypatch.context() as stopped:
        stopped.setattr(StopSignals, "stop", lambda _: True)
        assert run(["score", "out", "--least", "agreement=0.1"]) == 130
    assert "Stopped. The same command goes on from here." in capsys.readouterr().err
    assert (job / "rows.jsonl").read_bytes() == before
    assert run(["score", "out", "--all"]) == 0


def test_all_selects_nothing(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", "out", "--all", "--best", "2"]) == 2
    assert "--all selects nothing" in capsys.readouterr().err
