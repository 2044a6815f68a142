"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from tiny_model import write_tiny_gguf

from bonito_local import airgap
from bonito_local.airgap.layers import SECCOMP


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests, and the programs they start, an empty home and no model hub."""
    home = tempfile.TemporaryDirectory(prefix="home-")
    config.add_cleanup(home.cleanup)
    for name in [name for name in os.environ if name.startswith(("XDG_", "HF_"))]:
        del os.environ[name]
    os.environ |= {"HOME": home.name, "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real GGUF with random weights (see tiny_model.py); do not write to it."""
    return write_tiny_gguf(
        tmp_path_factory.mktemp("models") / "tiny.gguf",
        metadata={"bonito.passage_tokens": 48, "bonito.task_types": "exqa,ynqa"},
    )


@pytest.fixture(scope="session")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real checkpoint with few near-ties (see tiny_checkpoint.py); do not write to it."""
    from tiny_checkpoint import write_decided

    return write_decided(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def decided_gguf(decided: Path) -> Path:
    """The same model as a GGUF, unrounded."""
    from bonito_local.convert.pipeline import convert

    path = decided.with_suffix(".gguf")
    convert(decided, path, quant="F32")
    return path


@pytest.fixture(autouse=True)
def open_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests' own process out of the air gap: nothing that entered it can leave."""
    monkeypatch.setattr(airgap, "enter", lambda **_: airgap.Enforcement((SECCOMP,)))
