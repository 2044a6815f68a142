"""Checkpoint folders, looked at without an engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_checkpoint import write_checkpoint
from tokenizers import Tokenizer

from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.backends.cluster.vocabulary import open_vocabulary
from bonito_local.errors import ModelError
from bonito_local.jobs.prompts import writer_of
from bonito_local.models.catalog import resolve_model
from bonito_local.writing.bonito import BonitoWriter


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
    assert read_checkpoint(folder).metadata["tokenizer.eos_token"] == "</s>"
    named = {"chat_template": "D", "bos_token": {"content": "<b>"}, "eos_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | named))
    found = read_checkpoint(folder)
    assert found.metadata["tokenizer.bos_token"] == "<b>"
    assert "tokenizer.eos_token" not in found.metadata
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


def empty_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')


def odd_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": []}}')


def long_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "n" * 5000}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def odd_architectures(folder: Path) -> None:
    (folder / "config.json").write_text('{"architectures": 5}')


def drop_weights(folder: Path) -> None:
    for path in [*folder.glob("*.safetensors"), folder / "model.safetensors.index.json"]:
        path.unlink()


def list_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def break_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"\xff")
    read_checkpoint(folder).metadata  # noqa: B018 - it is read when it is asked for


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
        (empty_index, "names no weights"),
        (long_shard, "is incomplete: n{100} is missing"),
        (odd_index, "names no weights"),
        (odd_architectures, "cannot generate text: it is no architecture"),
        (drop_weights, "holds no weights"),
        (list_config, "is not a JSON object"),
        (break_template, r"chat_template\.jinja cannot be read"),
    ],
)
def test_what_is_no_complete_checkpoint(folder: Path, harm: object, title: str) -> None:
    assert callable(harm)

    def looked_at() -> None:
        harm(folder)
        read_checkpoint(folder)

    with pytest.raises(ModelError, match=title) as caught:
        looked_at()
    assert caught.value.remedy


def test_a_cluster_plans_by_tokenizer_json_alone(folder: Path) -> None:
    text = "The notice is short."
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    wanted = len(theirs.encode(text, add_special_tokens=False).ids)
    vocabulary = open_vocabulary("transformers", folder)
    assert (vocabulary.context_length, vocabulary.count_tokens(text)) == (512, wanted)
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    with pytest.raises(ModelError, match=r"has no tokenizer\.json, which planning"):
        open_vocabulary("transformers", folder)


def test_a_cluster_asks_an_instruct_checkpoint_as_one_process_does(folder: Path) -> None:
    assert isinstance(writer_of("auto", open_vocabulary("vllm", folder).metadata), BonitoWriter)
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template)
    metadata = open_vocabulary("vllm", folder).metadata
    assert metadata["tokenizer.chat_template"] == template
    assert metadata == read_checkpoint(folder).metadata
    assert not isinstance(writer_of("auto", metadata), BonitoWriter)


def test_a_model_is_of_a_format_that_the_backend_takes(folder: Path, tiny_gguf: Path) -> None:
    found = resolve_model(str(folder), ("checkpoint",))
    assert (found.name, found.path, len(found.sha256)) == ("copy", folder, 64)
    with pytest.raises(ModelError, match="is a folder") as caught:
        resolve_model(str(folder))
    assert "--backend auto" in caught.value.remedy
    with pytest.raises(ModelError, match="is a GGUF file; this backend loads checkpoint"):
        resolve_model(str(tiny_gguf), ("checkpoint",))
    with pytest.raises(ModelError, match="is a GGUF file"):
        resolve_model("bonito-small", ("checkpoint",))
