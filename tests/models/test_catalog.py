import hashlib
import os
from pathlib import Path

import pytest

from bonito_local.errors import ModelError, UsageError
from bonito_local.models import catalog
from bonito_local.models.catalog import CatalogModel, resolve_model


def test_a_path(tiny_gguf: Path) -> None:
    model = resolve_model(str(tiny_gguf))
    assert (model.name, model.path) == ("tiny", tiny_gguf)
    assert model.sha256 == hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()


def test_a_name(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asset = type("Asset", (CatalogModel,), {"path": tiny_gguf})("known", "", "", asset="a.gguf")
    monkeypatch.setattr(catalog, "CATALOG", (asset,))
    assert resolve_model("known").path == tiny_gguf


@pytest.mark.parametrize("name", ["bonito-smal", "Bonito-Small", "bonito_small"])
def test_a_near_name_is_offered(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_model(name)
    assert "Did you mean 'bonito-small'?" in caught.value.remedy


def test_what_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"PK\3\4")
    with pytest.raises(ModelError, match="not a GGUF file"):
        resolve_model(str(tmp_path / "model.gguf"))
    with pytest.raises(ModelError, match="is a folder"):
        resolve_model(str(tmp_path))
    with pytest.raises(ModelError, match=r"missing\.gguf cannot be read: No such file"):
        resolve_model("missing.gguf")


@pytest.mark.timeout(10)
@pytest.mark.skipif(os.name != "posix", reason="pipes and holes of POSIX")
def test_what_never_ends_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holes.gguf").write_bytes(b"GGUF\3\0\0\0")
    os.truncate(tmp_path / "holes.gguf", 1 << 41)
    with pytest.raises(ModelError, match="it is mostly holes"):
        resolve_model(str(tmp_path / "holes.gguf"))
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelError, match="it is no ordinary file"):
        resolve_model(str(tmp_path / "pipe.gguf"))
