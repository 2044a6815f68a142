"""Backends by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bonito_local.backends.base import EngineOptions, Plan
from bonito_local.backends.fake import Fake
from bonito_local.backends.registry import (
    backend_names,
    check_capable,
    check_scores,
    open_backend,
    open_scorer,
)
from bonito_local.errors import BackendError, UsageError


def test_opens_by_name() -> None:
    assert isinstance(open_backend("fake", Path("any")), Fake)
    assert backend_names()[0] == "llamacpp"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("llamacp", "Did you mean 'llamacpp'?"),
        ("zzz", "Known: llamacpp, transformers, vllm, openai, fake, auto."),
    ],
)
def test_unknown_name(name: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_backend(name, Path("any"))
    assert caught.value.remedy == remedy


def test_what_a_backend_cannot_do_is_said_before_work() -> None:
    check_capable("llamacpp", guided=True, plan=Plan(reproducible=True))
    check_capable("transformers", plan=Plan(options=EngineOptions(quantization="nf4")))
    with pytest.raises(UsageError, match="cannot give guided rows") as caught:
        check_capable("transformers", guided=True)
    assert caught.value.remedy == "Leave --guided out, or use --backend llamacpp."


@pytest.mark.parametrize(
    ("options", "title"),
    [
        (EngineOptions(dtype="bf16"), "dtype is 'bf16'."),
        (EngineOptions(tensor_parallel=0), "tensor_parallel is 0."),
        (EngineOptions(memory_fraction=1.5), "memory_fraction is 1.5."),
    ],
)
def test_options_that_mean_nothing(options: EngineOptions, title: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_capable("fake", plan=Plan(options=options))
    assert caught.value.title == title
    assert caught.value.remedy


def test_what_cannot_score_says_what_can() -> None:
    check_scores("llamacpp")
    check_scores("transformers")
    check_scores("vllm")
    for name in ("openai", "fake"):
        with pytest.raises(UsageError, match=f"The {name} backend gives no prob") as caught:
            open_scorer(name, Fake())
        assert caught.value.remedy.endswith("them: llamacpp, transformers, vllm.")


def test_missing_engine_names_the_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [m for m in sys.modules if m.startswith("bonito_local.backends.llamacpp")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(BackendError) as caught:
        open_backend("llamacpp", Path("any"))
    assert "llama_cpp" in caught.value.title
    assert "pip install" in caught.value.remedy
    assert isinstance(caught.value.__cause__, ImportError)
