"""Adapter folders, looked at before an engine loads one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bonito_local.backends.adapter import read_adapter
from bonito_local.errors import ModelError

LORA = {"peft_type": "LORA", "r": 8}


def write(folder: Path, config: Any, weights: str = "adapter_model.safetensors") -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        config if isinstance(config, str) else json.dumps(config)
    )
    if weights:
        (folder / weights).write_bytes(b"weights")
    return folder


def test_rank_and_hash(tmp_path: Path) -> None:
    one = read_adapter(write(tmp_path / "one", LORA))
    same = read_adapter(write(tmp_path / "same", LORA))
    other = read_adapter(write(tmp_path / "other", LORA | {"lora_alpha": 4}))
    assert (one.rank, one.folder) == (8, tmp_path / "one")
    assert one.sha256 == same.sha256 != other.sha256


@pytest.mark.parametrize(
    ("config", "weights", "said"),
    [
        (LORA, "", "it has no adapter_model.safetensors"),
        (LORA, "adapter_model.bin", "holds pickled weights"),
        ("{", "adapter_model.safetensors", "is not JSON"),
        ([], "adapter_model.safetensors", "names no rank"),
        ({"peft_type": "IA3"}, "adapter_model.safetensors", "names no rank"),
        (LORA | {"r": 1024}, "adapter_model.safetensors", "more than low-rank matrices"),
        (LORA | {"use_dora": True}, "adapter_model.safetensors", "more than low-rank"),
        (LORA | {"modules_to_save": ["lm_head"]}, "adapter_model.safetensors", "more than"),
    ],
)
def test_what_cannot_be_applied(tmp_path: Path, config: Any, weights: str, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        read_adapter(write(tmp_path / "a", config, weights))
    assert caught.value.remedy


def test_what_is_no_adapter(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ModelError, match="has no adapter_config"):
            read_adapter(folder)


@pytest.mark.timeout(10)
@pytest.mark.skipif(os.name != "posix", reason="pipes and devices of POSIX")
def test_files_that_never_end(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", LORA)
    weights = folder / "adapter_model.safetensors"
    os.truncate(weights, 2 << 40)
    with pytest.raises(ModelError, match="mostly holes"):
        read_adapter(folder)
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(ModelError, match="no ordinary file"):
        read_adapter(folder)
    (folder / "adapter_config.json").unlink()
    (folder / "adapter_config.json").symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no ordinary file"):
        read_adapter(folder)
