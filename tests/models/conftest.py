"""A hub of the test's own, a store of its own, and a checkpoint in two shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, serve_hub
from tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not write to it."""
    folder = tmp_path_factory.mktemp("hub") / "small-bonito"
    write_checkpoint(folder, layers=2, max_shard_size="1MB")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


@pytest.fixture
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(folder))
    return folder


@pytest.fixture
def hub_server(
    checkpoint: Path, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubServer]:
    """With one model, someone/small-bonito; the real `huggingface_hub` of this process asks it."""
    from huggingface_hub import constants

    from bonito_local.models import hub

    server = HubServer({"someone/small-bonito": checkpoint}, watched=store_folder)
    monkeypatch.setattr(hub, "_SECONDS", 0.01)
    with serve_hub(server):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
