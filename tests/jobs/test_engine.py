"""Which engine a request means, and what it cannot do: said before any work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.gpus import Gpu
from bonito_local.backends.registry import BACKENDS, Engine
from bonito_local.errors import BackendError, BonitoError, ModelError, UsageError
from bonito_local.jobs import engine
from bonito_local.jobs.engine import check_engine, sent_to, settle, way_out
from bonito_local.jobs.generate import generate, prepare
from bonito_local.jobs.generation import Generation, as_json, from_json
from bonito_local.tasks import task_type

SERVER = EngineOptions(endpoint="http://127.0.0.1:8080")
FP8 = EngineOptions(quantization="fp8")
NF4 = EngineOptions(quantization="nf4")


@pytest.fixture
def wanted(tmp_path: Path, tiny_gguf: Path) -> Generation:
    (tmp_path / "a.txt").write_text("Either party may end this agreement by notice.")
    return Generation((tmp_path / "a.txt",), (task_type("qa"),), tmp_path / "out", str(tiny_gguf))


@pytest.mark.parametrize(
    ("changes", "title", "remedy"),
    [
        (
            {"backend": "transformers", "guided": True},
            "The transformers backend cannot give guided rows.",
            "Leave --guided out, or use --backend llamacpp.",
        ),
        (
            {"backend": "openai", "engine": SERVER, "reproducible": True},
            "The openai backend cannot give the same bits each run.",
            "--backend llamacpp or transformers.",
        ),
        (
            {"engine": NF4},
            "The llamacpp backend cannot give weights that are quantized as they load.",
            "Leave --quantization out, or use --backend transformers or vllm.",
        ),
        (
            {"backend": "transformers", "engine": EngineOptions(quantization="nf5")},
            "The transformers backend cannot give nf5 weights.",
            "Leave --quantization out.",
        ),
        (
            {"backend": "transformers", "engine": FP8},
            "The transformers backend cannot give fp8 weights.",
            "Leave --quantization out, or use --backend vllm.",
        ),
        (
            {"engine": EngineOptions(adapter="a")},
            "The llamacpp backend cannot give rows of an adapter that is not merged.",
            "Leave --adapter out, or use --backend transformers or vllm.",
        ),
        (
            {"backend": "vllm", "sampling": Sampling(temperature=2.5)},
            "The vllm backend cannot draw at a temperature of 2.5.",
            "Use 2 or less.",
        ),
        (
            {"engine": SERVER},
            "The llamacpp backend cannot give rows of a server.",
            "Leave --endpoint out, or use --backend openai.",
        ),
        (
            {"backend": "openai"},
            "The openai backend needs the address of a server.",
            "Add --endpoint http://127.0.0.1:8080",
        ),
        (
            {"backend": "openai", "engine": EngineOptions(endpoint="x")},
            "The endpoint 'x' is no address.",
            "Write it",
        ),
        (
            {"backend": "openai", "engine": EngineOptions(endpoint="http://192.0.2.1:80")},
            "192.0.2.1 is not this machine: your passages would leave it.",
            "Add --remote",
        ),
        ({"backend": "llamacp"}, "Unknown backend 'llamacp'.", "Did you mean 'llamacpp'?"),
    ],
)
def test_what_an_engine_cannot_do_is_an_error_before_anything_is_made(
    wanted: Generation, changes: dict[str, object], title: str, remedy: str
) -> None:
    asked = replace(wanted, **changes)  # type: ignore[arg-type]
    for begin in (check_engine, generate, prepare):
        with pytest.raises(UsageError) as caught:
            begin(asked)
        assert caught.value.title == title
        assert remedy in caught.value.remedy
    assert not wanted.output.exists()


def test_a_model_of_another_format_is_an_error_before_anything_is_made(
    wanted: Generation, tmp_path: Path
) -> None:
    for backend, model in (("transformers", wanted.model), ("llamacpp", str(tmp_path))):
        with pytest.raises(ModelError):
            generate(replace(wanted, backend=backend, model=model))
    assert not wanted.output.exists()


@pytest.mark.parametrize(
    ("checkpoint", "there", "changes", "name", "why"),
    [
        (False, "transformers vllm gpu", {}, "llamacpp", "the model is a GGUF file"),
        (True, "transformers", {}, "transformers", "there is no NVIDIA GPU"),
        (True, "transformers vllm", {}, "transformers", "there is no NVIDIA GPU"),
        (True, "transformers gpu", {}, "transformers", "(vllm would be faster: pip install"),
        (True, "transformers vllm gpu", {}, "vllm", "there is an NVIDIA GPU"),
        (True, "vllm", {}, "vllm", "there is no NVIDIA GPU"),
        (True, "transformers vllm", {"engine": FP8}, "vllm", "there is no NVIDIA GPU"),
        (True, "transformers vllm gpu", {"reproducible": True}, "transformers", "NVIDIA GPU"),
        (False, "", {"engine": SERVER}, "openai", "an endpoint is named"),
    ],
)
def test_auto_chooses_by_model_and_machine(
    wanted: Generation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpoint: bool,
    there: str,
    changes: dict[str, object],
    name: str,
    why: str,
) -> None:
    machine(monkeypatch, there)
    model = str(tmp_path) if checkpoint else wanted.model
    asked = replace(wanted, backend="auto", model=model, **changes)  # type: ignore[arg-type]
    settled, told = settle(asked)
    assert settled == replace(asked, backend=name)
    assert why in told
    assert settle(settled) == (settled, "")


def test_auto_without_an_engine_says_what_to_install(
    wanted: Generation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, "")
    with pytest.raises(UsageError) as caught:
        settle(replace(wanted, backend="auto", model=str(tmp_path)))
    assert "pip install 'bonito-local[transformers]'" in caught.value.remedy


def machine(monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    """Pretend that these engines are installed, and perhaps a GPU."""
    names = {entry.target: name for name, entry in BACKENDS.items()}
    monkeypatch.setattr(
        Engine, "installed", property(lambda self: names[self.target] in there.split())
    )
    gpus = [Gpu("NVIDIA", "H200")] if "gpu" in there else []
    monkeypatch.setattr(engine, "find_gpus", lambda: gpus)


def test_an_engine_that_is_missing_is_an_error_before_anything_is_made(
    wanted: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, "")
    with pytest.raises(BackendError, match="engine is not installed") as caught:
        generate(wanted)
    assert caught.value.remedy.startswith("Install it: pip install")
    assert not wanted.output.exists()


def test_the_way_out_is_the_servers_address() -> None:
    assert (way_out(EngineOptions()), sent_to(EngineOptions())) == (None, "")
    assert (way_out(SERVER), sent_to(SERVER)) == (("127.0.0.1", 8080), "")
    elsewhere = EngineOptions(endpoint="http://192.0.2.1", remote=True)
    assert (way_out(elsewhere), sent_to(elsewhere)) == (("192.0.2.1", 80), "192.0.2.1")
    with pytest.raises(BonitoError, match="your passages would leave it"):
        way_out(replace(elsewhere, remote=False))


def test_a_request_survives_being_saved(wanted: Generation, tmp_path: Path) -> None:
    asked = replace(wanted, engine=replace(SERVER, quantization="nf4"), folder=tmp_path)
    assert from_json(as_json(asked), asked.output) == asked
    # A job from before there were engines to choose goes on.
    older = as_json(wanted)
    del older["engine"]
    assert from_json(older, wanted.output).engine == EngineOptions()
