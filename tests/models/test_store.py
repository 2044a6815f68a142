"""The store: names that --model finds, and files that are what their manifests say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.errors import BonitoError, ModelError, UsageError
from bonito_local.jobs.estimate import _file
from bonito_local.models import store
from bonito_local.models.catalog import is_name, resolve_model
from bonito_local.models.installed import installed


def test_an_added_model_has_a_name_everywhere(
    store_folder: Path, tiny_gguf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert store.names() == []
    assert run(["models", "add", str(tiny_gguf), "--name", "my.model-1"]) == 0
    path = store_folder / "my.model-1.gguf"
    assert store.names() == ["my.model-1"]
    assert resolve_model("my.model-1").path == path
    assert _file("my.model-1") == path
    (found,) = [model for model in installed() if model.place == "store"]
    assert (found.name, found.reference, found.changed) == ("my.model-1", "my.model-1", False)
    assert found.standing == "not verified"
    made = json.loads((store_folder / "my.model-1.gguf.json").read_text())
    assert made["source"] == tiny_gguf.name
    assert made["output"]["sha256"] == resolve_model(str(tiny_gguf)).sha256
    with path.open("ab") as file:
        file.write(b"more")
    (found,) = [model for model in installed() if model.place == "store"]
    assert found.standing == "CHANGED since it was made"
    capsys.readouterr()
    assert run(["models", "remove", "-y", "my.model-1"]) == 0
    assert "my.model-1.gguf" in capsys.readouterr().out
    assert store.names() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "x.gguf", ".hidden", "bonito-small", "é"])
def test_a_name_that_cannot_be(store_folder: Path, tiny_gguf: Path, name: str) -> None:
    with pytest.raises(UsageError):
        store.target(name)
    assert not store_folder.exists() or not list(store_folder.iterdir())


def test_what_is_broken_is_not_added(store_folder: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_gguf.read_bytes()[:-100])
    with pytest.raises(ModelError, match="incomplete"):
        store.add(cut)
    with pytest.raises(ModelError, match="cannot be read"):
        store.add(tmp_path / "none.gguf")
    whole = tmp_path / "whole.gguf"
    whole.write_bytes(tiny_gguf.read_bytes())
    manifest = tmp_path / "whole.gguf.json"
    manifest.write_text(json.dumps({"output": {"sha256": "0" * 64}}))
    with pytest.raises(ModelError, match="not the file that its manifest describes"):
        store.add(whole)
    manifest.write_text("{")
    with pytest.raises(ModelError, match="is not a manifest"):
        store.add(whole)
    assert store.names() == []
    assert not store_folder.exists() or not list(store_folder.iterdir())


def test_a_store_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_gguf: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(tmp_path / "file" / "store"))
    with pytest.raises(ModelError, match="cannot be made"):
        store.add(tiny_gguf)
    assert store.names() == []


def test_a_model_that_could_be_fetched_is_said(store_folder: Path) -> None:
    with pytest.raises(ModelError, match="is not on this machine") as raised:
        resolve_model("bonito-v1")
    assert "bonito-local models pull bonito-v1" in raised.value.remedy
    with pytest.raises(UsageError) as unknown:
        resolve_model("bonito-v2")
    assert "Did you mean 'bonito-v1'?" in unknown.value.remedy
    with pytest.raises(BonitoError, match="There is no model bonito-v1"):
        store.remove("bonito-v1")


def test_a_model_is_read_whole_when_its_hash_is_asked_for_and_once(tmp_path: Path) -> None:
    """`ask` and the like need no hash of gigabytes before they answer."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF one")
    model = resolve_model(str(path))
    path.write_bytes(b"GGUF two")
    assert model.sha256 == hashlib.sha256(b"GGUF two").hexdigest()
    path.unlink()
    assert model.sha256 == hashlib.sha256(b"GGUF two").hexdigest()
    path.write_bytes(b"GGUF")
    gone = resolve_model(str(path))
    path.unlink()
    with pytest.raises(ModelError, match=r"model\.gguf cannot be read"):
        _ = gone.sha256
    assert resolve_model("served", ("name",)).sha256 == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("bonito-v1", True),
        ("Llama-3.1-8B-bonito-v1", True),
        ("model.gguf", False),
        ("folder/model", False),
        ("/a", False),
        ("", False),
    ],
)
def test_a_name_is_told_from_a_path(text: str, name: bool) -> None:
    assert is_name(text) is name
