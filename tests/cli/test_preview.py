"""A preview from the command line, by the real engine."""

import json
from pathlib import Path

import pytest

from bonito_local.cli.main import run

TEXT = "The lease names day 3 as the day on which rent is paid to the owner of the house."


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "lease.txt").write_text(TEXT)
    (folder / "photo.png").write_bytes(b"png")
    return folder


def test_passages_alone(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["preview", str(documents)]) == 0
    shown = capsys.readouterr()
    assert "1 · documents/lease.txt" in shown.out.replace(f"{documents.parent}/", "")
    assert "rent is paid to the owner" in " ".join(shown.out.split())
    assert "photo.png" in shown.err or ".png" in shown.err
    assert "rows in" not in shown.out
    assert [path.name for path in documents.parent.iterdir()] == ["documents"]


def test_rows_of_a_job_file(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "documents", "-t", "exqa,ynqa", "-o", "out"]) == 0
    assert run(["preview", "job.toml", "--rows", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2 rows in" in shown
    assert "The whole job: about 2 rows of 1 passage, 1 s (a guess" in shown
    assert "exqa · " in shown
    assert "ynqa · " in shown
    assert not (documents.parent / "out").exists()


def test_for_programs(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["preview", "documents", "-t", "exqa,ynqa", "--rows", "2", "--json"]
    assert run(asked) == 0
    printed, shown = capsys.readouterr()
    assert "photo.png" not in shown  # all of it is on stdout
    found = [json.loads(line) for line in printed.splitlines()]
    kinds = ["note", "problem", "passage", "row", "row", "end"]
    assert sorted(one["kind"] for one in found) == sorted(kinds)
    by_kind = {one["kind"]: one for one in found}
    assert by_kind["problem"]["source"] == "documents"
    assert ".png" in by_kind["problem"]["title"]
    assert by_kind["passage"]["text"] == TEXT
    assert by_kind["passage"]["source"] == "documents/lease.txt"
    assert {one["task"] for one in found if one["kind"] == "row"} == {"exqa", "ynqa"}
    assert by_kind["row"]["passage"] == 0
    end = by_kind["end"]
    assert found[-1] == end
    assert end.keys() == {"kind", "rows", "seconds", "whole"}
    assert (end["whole"]["passages"], end["whole"]["samples"]) == (1, 2)
    assert run(["preview", "documents", "--json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["kind"], last["whole"]) == ("end", None)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["nowhere"], "nowhere does not exist"),
        (["documents", "-t", "exqq"], "Did you mean 'exqa'"),
        (["documents", "job.toml"], "A job file stands alone"),
        (["documents", "-m", "none.gguf"], "none.gguf cannot be read"),
    ],
)
def test_what_cannot_be_is_said(
    documents: Path, capsys: pytest.CaptureFixture[str], args: list[str], why: str
) -> None:
    assert run(["preview", *args]) in (1, 2)
    assert why in capsys.readouterr().err


def test_a_job_file_is_looked_at_from_any_folder(
    documents: Path, tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").symlink_to(tiny_gguf)
    told = ["-t", "ynqa", "-o", "out", "--model", "m.gguf"]
    assert run(["new", "job.toml", "documents", *told]) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run(["preview", "../job.toml", "--rows", "1"]) == 0


def test_nothing_of_a_document_steers_the_terminal(
    documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (documents / "\x1b]0;title\x07.txt").write_text(TEXT.replace("day 3", "day 4"))
    (documents / "\x1b[2J.jsonl").write_text('{"\\u001b]52;c;aGk=\\u0007": 1, "b": 2}\n')
    told = ["-t", "exqa", "--backend", "fake", "-o", "out"]
    assert run(["generate", "documents", *told]) == 0
    assert run(["preview", "documents", "-t", "exqa", "--rows", "1"]) == 0
    assert run(["review", "out"]) == 0
    assert run(["status", "\x1b[2J"]) == 2
    shown = "".join(capsys.readouterr())
    assert "\\x1b]0;title\\x07.txt" in shown
    assert "\\x1b]52;c;aGk=\\x07" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
