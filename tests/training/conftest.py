"""A tiny base, rows about it, and a run that takes a second."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_checkpoint import write_decided
from tiny_rows import ROWS, write_rows

from bonito_local.training import compute
from bonito_local.training.config import TrainConfig


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mistral of two layers; do not write to it."""
    folder = tmp_path_factory.mktemp("base")
    return write_decided(folder, width=64, ffn=128, heads=4, kv_heads=2)


@pytest.fixture(autouse=True)
def _computes_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure nothing: results may not depend on the machine."""
    monkeypatch.setattr(compute, "measure", lambda shape: (2.0, 1.0))


@pytest.fixture
def config(base: Path, tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        "bonito",
        base,
        write_rows(tmp_path / "rows.jsonl", ROWS),
        tmp_path / "adapter",
        rank=8,
        alpha=16,
        learning_rate=1e-2,
        batch=4,
        steps=30,
        micro_tokens=256,
        save_every=4,
        seed=1,
    )
