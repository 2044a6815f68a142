"""`bonito-local coverage` and `tasks --prompt`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bonito_local.cli.main import run

TEXT = (
    "The rent of the flat in Leeds is 900 pounds a month. The tenant may keep two cats in the flat."
)


def test_how_much_of_a_document_became_rows(
    tmp_path: Path,
    tiny_gguf: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text(TEXT)
    command = ["generate", "a.txt", "-t", "ynqa", "--backend", "fake", "-m", str(tiny_gguf)]
    assert run([*command, "-o", "out"]) == 0
    capsys.readouterr()
    assert run(["coverage", "out", "--missing"]) == 0
    first, *missing = capsys.readouterr().out.splitlines()
    assert first.split() == ["0", "of", "2", "0%", "a.txt"]  # Bonito chooses what to ask about
    assert [line.strip() for line in missing] == TEXT.replace("month. ", "month.\n").splitlines()
    assert run(["coverage", "out", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["touched"] == 0


def test_prompts_are_shown_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tasks", "exqa", "--prompt"]) == 0
    written = capsys.readouterr().out
    assert 'lines = ["question", "answer"]' in written
    (tmp_path / "exqa.toml").write_text(written)
    assert run(["tasks", "--prompt"]) == 0
    assert "[[texts.exchanges]]" in capsys.readouterr().out
    assert run(["tasks", "nothing", "--prompt"]) == 2
    assert "nothing has no prompt" in capsys.readouterr().err
