"""Checkpoint folders, looked at without an engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_checkpoint import write_checkpoint

from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.errors import ModelError
from bonito_local.models.catalog import resolve_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "saved"
    write_checkpoint(folder, layers=1, width=64, max_shard_size="100KB")
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_what_it_says(folder: Path) -> None:
    found = read_checkpoint(folder)
    assert found.context_length == 512
    assert len(found.weights) > 1
    assert found.quantization == ""
    assert found.metadata == {"general.name": f" {folder.name}"}

    settings = json.loads((folder / "tokenizer_config.json").read_text())
    templates = [{"name": "tool", "template": "T"}, {"name": "default", "template": "D"}]
    for said in ({"chat_template": "D"}, {"chat_template": templates}):
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | said))
        assert read_checkpoint(folder).metadata["tokenizer.chat_template"] == "D"
    (folder / "chat_template.jinja").write_text("J")
    assert read_checkpoint(folder).metadata["tokenizer.chat_template"] == "J"


def test_the_hash_is_of_what_changes_completions(folder: Path) -> None:
    before = read_checkpoint(folder).sha256()
    (folder / "README.md").write_text("new")
    assert read_checkpoint(folder).sha256() == before
    weights = bytearray((shard := read_checkpoint(folder).weights[0]).read_bytes())
    weights[-1] ^= 1
    shard.write_bytes(weights)
    assert read_checkpoint(folder).sha256() != before


def drop_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def make_adapter(folder: Path) -> None:
    drop_config(folder)
    (folder / "adapter_config.json").write_text("{}")


def make_encoder(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def drop_shard(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[-1].unlink()


def pickle_weights(folder: Path) -> None:
    for path in [*folder.glob("*.safetensors"), folder / "model.safetensors.index.json"]:
        path.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"x")


def drop_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("harm", "title"),
    [
        (drop_config, "is not a checkpoint: it has no config.json"),
        (make_adapter, "holds an adapter, not a model"),
        (make_encoder, "cannot generate text: it is BertModel"),
        (break_config, "is not JSON"),
        (drop_shard, "is incomplete: model-0.* is missing"),
        (pickle_weights, "holds pickled weights"),
        (drop_tokenizer, "has no tokenizer"),
    ],
)
def test_what_is_no_complete_checkpoint(folder: Path, harm: object, title: str) -> None:
    assert callable(harm)
    harm(folder)
    with pytest.raises(ModelError, match=title) as caught:
        read_checkpoint(folder)
    assert caught.value.remedy


def test_a_model_is_of_a_format_that_the_backend_takes(folder: Path, tiny_gguf: Path) -> None:
    found = resolve_model(str(folder), ("checkpoint",))
    assert (found.name, found.path, len(found.sha256)) == ("copy", folder, 64)
    with pytest.raises(ModelError, match="is a folder") as caught:
        resolve_model(str(folder))
    assert "--backend auto" in caught.value.remedy
    with pytest.raises(ModelError, match="is a GGUF file; this backend loads checkpoint"):
        resolve_model(str(tiny_gguf), ("checkpoint",))
    with pytest.raises(ModelError, match="is a GGUF file"):
        resolve_model("bonito-tiny", ("checkpoint",))
