"""The doctor's report."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bonito_local import doctor
from bonito_local.cli.main import run


def test_report_of_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["llama.cpp"]["status"] == "ok"
    assert "llama-cpp-python 0.3" in checks["llama.cpp"]["found"]
    assert "bonito-tiny" in checks["Models"]["found"]
    assert "GiB free" in checks["Memory"]["found"]


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


def test_a_gpu_without_a_build_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!{sys.executable}\nprint('NVIDIA L4, 23034 MiB')\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    checks = {check.name: check for check in doctor.examine()}
    assert checks["GPU"].found == "NVIDIA L4, 23034 MiB"
    assert checks["llama.cpp"].status == "warn"
    assert "GGML_CUDA=on" in checks["llama.cpp"].remedy
