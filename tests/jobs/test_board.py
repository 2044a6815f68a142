"""The list of jobs that a front end keeps: only what has changed is looked at again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted import Scripted, passages, spec, unique

from bonito_local.jobs import board as board_module
from bonito_local.jobs.board import Board
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.registry import Registry
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.state import look_at
from bonito_local.jobs.store import Store


def job(output: Path, count: int) -> None:
    store = Store(store_path(output))
    run_job(store, Scripted(unique), spec(), passages(count))
    store.close()
    Registry().add(output)


def looked(board: Board) -> list[tuple[int, int]]:
    """Number and accepted rows of each job that has changed."""
    return [
        (listed.id, listed.job.ledger.accepted if listed.job else -1)
        for batch in board.look(board.entries())
        for listed in batch
    ]


def test_only_what_has_changed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    board = Board()
    assert looked(board) == []
    job(tmp_path / "a", 2)
    job(tmp_path / "b", 3)
    assert looked(board) == [(2, 3), (1, 2)]
    seen: list[int] = []
    real = look_at

    def counted(entry: Any) -> Any:
        seen.append(entry.id)
        return real(entry)

    monkeypatch.setattr(board_module, "look_at", counted)
    assert looked(board) == []
    assert seen == []
    job(tmp_path / "a", 4)
    assert looked(board) == [(1, 4)]
    assert seen == [1]
    store_path(tmp_path / "b").unlink()
    assert looked(board) == [(2, -1)]
    Registry().remove(tmp_path / "b")
    assert looked(board) == []
    assert list(board.jobs) == [1]
