"""Backends by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bonito_local.backends.fake import Fake
from bonito_local.backends.registry import backend_names, open_backend
from bonito_local.errors import BackendError, UsageError


def test_opens_by_name() -> None:
    assert isinstance(open_backend("fake", Path("any")), Fake)
    assert backend_names()[0] == "llamacpp"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("llamacp", "Did you mean 'llamacpp'?"),
        ("zzz", "Known: llamacpp, transformers, openai, fake, auto."),
    ],
)
def test_unknown_name(name: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_backend(name, Path("any"))
    assert caught.value.remedy == remedy


def test_missing_engine_names_the_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [m for m in sys.modules if m.startswith("bonito_local.backends.llamacpp")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(BackendError) as caught:
        open_backend("llamacpp", Path("any"))
    assert "llama_cpp" in caught.value.title
    assert "pip install" in caught.value.remedy
    assert isinstance(caught.value.__cause__, ImportError)
