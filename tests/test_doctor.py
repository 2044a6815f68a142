"""The doctor's report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bonito_local import doctor
from bonito_local.airgap import Enforcement, probe
from bonito_local.cli.main import run
from bonito_local.models import store


def test_report_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["llama.cpp"]["status"] == "ok"
    assert "llama-cpp-python 0.3" in checks["llama.cpp"]["found"]
    assert "llamacpp (llama_cpp_python 0.3" in checks["Engines"]["found"].replace("-", "_")
    assert "transformers (transformers 5." in checks["Engines"]["found"]
    assert "vllm: pip install 'bonito-local[vllm]'" in checks["Engines"]["remedy"]
    assert "bonito-small" in checks["Models"]["found"]
    assert "GiB free" in checks["Memory"]["found"]
    assert checks["Air gap"]["status"] == "ok"
    if sys.platform == "linux":
        layers = "empty network namespace, seccomp filter, Landlock domain, Python audit hook"
        assert checks["Air gap"]["found"] == (
            f"{layers}: ways out tried and refused: 29 of 29 by a job, "
            "33 of 33 by a reader of documents, 33 of 33 by one of tables"
        )


@pytest.mark.parametrize(
    ("layers", "ended", "control", "status", "told"),
    [
        ((), "got through", ("TCP to this machine",), "warn", "got out: DNS"),
        (("seccomp filter",), "got through", ("TCP to this machine",), "fail", "got out: DNS"),
        (("seccomp filter",), "refused", (), "warn", "without it nothing got through either"),
    ],
)
def test_an_air_gap_that_does_not_hold_is_said(
    monkeypatch: pytest.MonkeyPatch,
    layers: tuple[str, ...],
    ended: str,
    control: tuple[str, ...],
    status: str,
    told: str,
) -> None:
    held = Enforcement(layers, ("Only Python code is held.",))
    monkeypatch.setattr(probe, "prove", lambda _: probe.Proof(held, {"DNS": ended}, control))
    (check,) = (check for check in doctor.examine() if check.name == "Air gap")
    assert check.status == status
    assert told in check.found


def test_a_broken_engine_fails_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise OSError('libllama.so: no such file')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert run(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "FAIL  llama.cpp" in printed
    assert "libllama.so: no such file" in printed
    assert "-> pip install --force-reinstall" in printed


def test_a_folder_where_the_user_works_is_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp").mkdir()
    (tmp_path / "llama_cpp" / "__init__.py").write_text("raise OSError('not the engine')\n")
    monkeypatch.chdir(tmp_path)
    (check,) = (check for check in doctor.examine() if check.name == "llama.cpp")
    assert check.status == "ok", check.found


def test_a_gpu_without_a_build_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!{sys.executable}\nprint('NVIDIA L4, 23034 MiB')\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    checks = {check.name: check for check in doctor.examine()}
    assert checks["GPU"].found == "NVIDIA L4, 23034 MiB"
    assert checks["llama.cpp"].status == "warn"
    assert "GGML_CUDA=on" in checks["llama.cpp"].remedy


def looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int = 0
) -> dict[str, dict[str, str]]:
    """The lines about models, through the command; it exits with `status`."""
    about = (doctor._models, doctor._store, doctor._memory)
    monkeypatch.setattr(doctor, "_CHECKS", about)
    assert run(["doctor", "--json"]) == status
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_models_of_the_store_are_looked_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny_gguf: Path,
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    told = looked_at(monkeypatch, capsys)
    assert told["Models"]["found"] == "bonito-small (Q5_0), to try things out"
    assert "models pull bonito-v1" in told["Models"]["remedy"]
    assert str(tmp_path / "store") in told["Model store"]["found"]
    path = store.add(tiny_gguf, "mine")
    assert "mine (" in looked_at(monkeypatch, capsys)["Models"]["found"]
    with path.open("ab") as file:
        file.write(b"more")
    changed = looked_at(monkeypatch, capsys)["Models"]
    assert (changed["status"], changed["remedy"].split()[-1]) == ("warn", "mine")
    path.write_bytes(path.read_bytes()[:2000])
    broken = looked_at(monkeypatch, capsys, status=1)["Models"]
    assert (broken["status"], "BROKEN: mine" in broken["found"]) == ("fail", True)
    assert broken["remedy"].startswith("bonito-local models remove mine")


def test_what_was_half_fetched_and_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    monkeypatch.setattr(doctor, "_TO_PULL", 0)
    store.staging("bonito-v1").mkdir(parents=True)
    half = looked_at(monkeypatch, capsys)["Model store"]
    assert (half["status"], "half fetched: bonito-v1" in half["found"]) == ("warn", True)
    assert "models pull bonito-v1" in half["remedy"]
    monkeypatch.setattr(doctor, "_TO_PULL", 1 << 60)
    full = looked_at(monkeypatch, capsys)["Model store"]
    assert (full["status"], "free some" in full["remedy"]) == ("warn", True)


def test_a_model_that_does_not_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "store"))
    monkeypatch.setattr(doctor, "_BESIDE_WEIGHTS", 1 << 60)
    told = looked_at(monkeypatch, capsys)["Memory"]
    assert told["status"] == "warn"
    assert "too little to run bonito-small" in told["found"]
