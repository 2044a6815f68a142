"""A model file is loaded in a child first: what makes llama.cpp abort ends no job."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from tiny_model import write_tiny_gguf

from bonito_local.backends.llamacpp import trial
from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.backends.llamacpp.model import Model
from bonito_local.errors import ModelError

# What may make llama.cpp abort the process: other bytes of the file, and more metadata.
ABORTING: dict[str, tuple[dict[str, str | int], bytes, bytes]] = {
    "a tokenizer that there is not": ({}, b"gpt2", b"zzzz"),
    "no vocabulary": ({}, b"gpt2", b"none"),
    "a tokenizer of another kind": ({}, b"gpt2", b"bert"),
    "experts": ({"llama.expert_count": 1 << 30}, b"", b""),
    "experts that are used": ({"llama.expert_used_count": 9}, b"", b""),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bonito-local" / "loaded"


@pytest.mark.parametrize("what", ABORTING)
def test_a_file_that_ends_llama_cpp_is_one_error(what: str, tmp_path: Path) -> None:
    """Or it loads, and its tokenizer works: then it may run."""
    metadata, old, new = ABORTING[what]
    path = write_tiny_gguf(tmp_path / "a.gguf", metadata=metadata)
    path.write_bytes(path.read_bytes().replace(old, new, 1) if old else path.read_bytes())
    with suppress(ModelError):
        model = Model(path)
        model.tokenize("Hello.")
        model.close()


def test_a_file_that_loaded_is_tried_once(tmp_path: Path, tiny_gguf: Path, cache: Path) -> None:
    path = tmp_path / "a.gguf"
    shutil.copy(tiny_gguf, path)
    Model(path).close()
    (mark,) = cache.iterdir()
    trial.see_that_it_loads(path)
    assert list(cache.iterdir()) == [mark]
    os.utime(path, (1, 1))  # another file, perhaps
    Model(path).close()
    assert len(list(cache.iterdir())) == 2


def test_a_crash_of_the_child_is_said(
    tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.gguf"
    shutil.copy(tiny_gguf, path)
    code = "import os; os.abort()"
    monkeypatch.setattr(trial, "COMMAND", ("-c", code))
    with pytest.raises(ModelError, match=r"llama.cpp crashes with .* \(SIGABRT\)"):
        Model(path)
    monkeypatch.setattr(trial, "COMMAND", ("-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(trial, "_SECONDS", 0.2)
    with pytest.raises(ModelError, match="did not load"):
        Model(path)


def test_the_packages_own_model_is_not_tried(cache: Path) -> None:
    from bonito_local.models.catalog import locate

    path = locate("bonito-small")
    assert path is not None
    Model(path).close()
    assert not cache.exists()


def test_what_is_no_file_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    for path in (tmp_path / "pipe.gguf", tmp_path, Path("/dev/zero")):
        with pytest.raises(ModelError):
            read_header(path)
    (tmp_path / "empty.gguf").touch()
    with pytest.raises(ModelError):
        read_header(tmp_path / "empty.gguf")
