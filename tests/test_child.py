"""A process that is asked: how its end is told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bonito_local.child import AnsweringChild


@pytest.mark.parametrize(
    ("end", "failed", "crash"),
    [
        ("pass", False, ""),
        ("sys.exit(1)", True, ""),
        ("os.kill(os.getpid(), signal.SIGILL)", True, "SIGILL"),
        ("os.kill(os.getpid(), signal.SIGKILL)", True, "SIGKILL"),
    ],
)
def test_what_it_answered_and_how_it_ended(
    end: str, failed: bool, crash: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answering.py").write_text(
        "import json, os, signal, sys\n"
        f"print(json.dumps(json.load(sys.stdin)), flush=True)\n{end}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with closing(AnsweringChild("answering", {"a": 1})) as child:
        assert list(child.answers()) == [{"a": 1}]
        assert child.failed() is failed
        assert child.crash() == crash


def test_one_that_was_ended_has_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = AnsweringChild("hanging", {})
    child.close()
    assert child.failed() is False
