"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import write_tiny_gguf


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real GGUF with random weights (see tiny_model.py); do not write to it."""
    return write_tiny_gguf(
        tmp_path_factory.mktemp("models") / "tiny.gguf",
        metadata={"bonito.passage_tokens": 48, "bonito.task_types": "exqa,ynqa"},
    )
