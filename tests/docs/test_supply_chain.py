"""What is locked is what is installed, and every licence goes with ours."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import metadata
from pathlib import Path
from types import ModuleType

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "docs/licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_is_complete_and_current(licences: ModuleType) -> None:
    lines = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    locked = {canonicalize_name(name): version for name, version in lines}
    extras = tuple(metadata("bonito-local").get_all("Provides-Extra") or ())
    without = tuple(extra for extra in extras if extra != "vllm")  # an environment of its own
    found = {name: of.version for name, of in licences.installed(without).items()}
    assert len(found) > 60
    assert {name: locked.get(name) for name in found} == {
        name: version.partition("+")[0] for name, version in found.items()
    }


def test_llama_cpp_is_built_anew_in_the_range_that_the_package_needs() -> None:
    (needed,) = re.findall(r'^    "(llama-cpp-python>[^"]*)"', PROJECT, re.MULTILINE)
    for name in ("bonito_local/doctor.py", "docs/install.md", "docs/troubleshooting.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        built = re.findall(r"pip\s+install\s+--force-reinstall[^\n]*llama-cpp-python[^ '\n]*", text)
        assert built, name
        assert [command.rpartition("'")[2] for command in built] == [needed] * len(built)


def test_every_licence_goes_with_ours(licences: ModuleType) -> None:
    found = {name: licences.licence(of) for name, of in licences.installed().items()}
    assert {name: text for name, text in found.items() if not licences.allowed(text)} == {}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR BSD-3-Clause", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-2.0-only", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_is_judged_by_its_parts(licences: ModuleType, text: str, good: bool) -> None:
    assert licences.allowed(text) is good
