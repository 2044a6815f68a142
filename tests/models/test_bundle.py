"""A bundle: made, checked, signed, and installed where there is no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import files, version
from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.errors import BundleError
from bonito_local.models import bundle, installer, store

ROOT = Path(__file__).parents[2]
REAL = ("platformdirs",)  # what tells the installer where models go
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
HOOK = "import sys; from setuptools import build_meta as b; print(b.build_wheel(sys.argv[1]))"


def stand_in(folder: Path, name: str) -> None:
    """A wheel of this name and of the installed version, without needs, and all but empty."""
    release, plain = version(name), re.sub(r"[-_.]+", "_", name)
    info = f"{plain}-{release}.dist-info"
    with zipfile.ZipFile(folder / f"{plain}-{release}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        for file in files(name) or () if name in REAL else ():
            if file.suffix == ".py":
                wheel.write(file.locate(), str(file))


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real wheel of this checkout, and stand-ins for all that it asks for."""
    checkout, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheels")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "docs/man", checkout / "docs/man")
    for name in ("bonito_local", "convert", "tui"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-W", "ignore", "-c", HOOK, str(folder)]
    subprocess.run(command, cwd=checkout, capture_output=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for need in project["dependencies"]:
        stand_in(folder, re.split(r"[^A-Za-z0-9._-]", need)[0])
    return folder


@pytest.fixture(scope="module")
def made(wheels: Path, tmp_path_factory: pytest.TempPathFactory, tiny_gguf: Path) -> Path:
    """A signed bundle with one model; do not write to it."""
    folder = tmp_path_factory.mktemp("bundle")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BONITO_LOCAL_MODELS", str(folder / "store"))
        store.add(tiny_gguf, "carried")
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", ""]
        for key in ("key", "other"):
            subprocess.run([*keygen, "-f", str(folder / key)], check=True)
        out = folder / "bonito.pyz"
        record = bundle.create(out, ["carried"], wheels=wheels, sign=folder / "key")
    assert record.bytes == out.stat().st_size
    return out


def program(command: list[object], **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=kept | environment
    )


@LINUX
def test_it_installs_and_runs_without_a_network(made: Path, tmp_path: Path) -> None:
    """With Python alone: -I keeps this environment's packages out, -n the network."""
    home, to = tmp_path / "home", tmp_path / "app"
    home.mkdir()
    alone: list[object] = ["unshare", "-rn"]
    python = os.path.realpath(sys.executable)
    own = {"HOME": str(home), "BONITO_LOCAL_MODELS": ""}
    done = program([*alone, python, "-I", made, "install", "--to", to], **own)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Installed. Start it with {to}/bin/bonito-local\n"
    there = home / ".local" / "share" / "bonito-local" / "models"
    assert sorted(p.name for p in there.iterdir()) == ["carried.gguf", "carried.gguf.json"]
    # The stand-ins have no modules: those of this environment take their place.
    (site,) = to.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    listed = program([*alone, to / "bin" / "bonito-local", "models", "list"], **own)
    assert "carried  (" in listed.stdout
    document = tmp_path / "lease.txt"
    document.write_text("Either party may end this lease by giving notice of thirty days. " * 5)
    command = [to / "bin" / "bonito-local", "generate", document, "-t", "exqa", "-m", "carried"]
    options = ["--guided", "--no-tune", "--max-tokens", "16", "-o", tmp_path / "out"]
    rows = program([*alone, *command, *options], OMP_NUM_THREADS="1", **own)
    assert "Traceback" not in rows.stderr
    assert (tmp_path / "out" / "ledger.json").exists(), rows.stderr
    # Another model of the same name is there, with its manifest: it is kept, by another name.
    carried = {path: path.read_bytes() for path in there.iterdir()}
    for path, data in carried.items():
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    again = program([*alone, python, "-I", made, "install", "--to", to], **own)
    assert (again.returncode, again.stdout) == (0, done.stdout), again.stderr
    assert again.stderr == "The model carried was another one: it is kept as carried.before.\n"
    assert {path: path.read_bytes() for path in carried} == carried
    before = (there / "carried.before.gguf").read_bytes()
    assert before[:-1] == carried[there / "carried.gguf"][:-1]
    assert (there / "carried.before.gguf.json").exists()
    other = program([*alone, python, "-I", made, "install", "--to", tmp_path], **own)
    assert (other.returncode, "holds something else" in other.stderr) == (1, True)


def test_whole_or_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bundle", "verify", str(made)]) == 0
    assert "whole, " in capsys.readouterr().out
    damaged = tmp_path / "damaged.pyz"
    data = bytearray(made.read_bytes())
    for at in (len(data) // 2, len(data) // 4, 100):
        other = bytearray(data)
        other[at] ^= 1
        damaged.write_bytes(other)
        with pytest.raises(installer.Refused):
            installer.verify(damaged)
    damaged.write_bytes(data[:-1000])
    assert run(["bundle", "verify", str(damaged)]) == 1
    assert "is not a whole bundle" in capsys.readouterr().err
    assert run(["bundle", "verify", str(tmp_path / "none")]) == 1
    shutil.copy(made, damaged)
    with zipfile.ZipFile(damaged, "a") as archive:
        archive.writestr("wheels/planted-1.0-py3-none-any.whl", "")
    with pytest.raises(installer.Refused, match="holds other files than it names"):
        installer.verify(damaged)


def test_a_signature_is_of_one_key_and_of_every_byte(made: Path, tmp_path: Path) -> None:
    key, other = made.with_name("key.pub"), made.with_name("other.pub")
    assert installer.verify(made, key)["models"] == ["carried"]
    with pytest.raises(installer.Refused, match="was not signed with"):
        installer.verify(made, other)
    copied = tmp_path / made.name
    shutil.copy(made, copied)
    with pytest.raises(installer.Refused, match="There is no file"):
        installer.verify(copied, key)
    shutil.copy(made.with_name("bonito.pyz.sig"), tmp_path)
    installer.verify(copied, key)
    with copied.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(installer.Refused, match="was not signed with"):
        installer.verify(copied, key)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("python", "2.7", "The bundle is for Python 2.7"),
        ("platform", ["win32", "x86_64"], "The bundle is for win32 on x86_64"),
    ],
)
def test_a_bundle_for_another_machine(made: Path, field: str, value: object, told: str) -> None:
    contents = installer.read_contents(made)
    installer.check_machine(contents)
    with pytest.raises(installer.Refused, match=told):
        installer.check_machine(contents | {field: value})


@pytest.mark.parametrize(
    ("tag", "machine"),
    [
        ("manylinux_2_28_x86_64", ("linux", "x86_64")),
        ("win_amd64", ("win32", "x86_64")),
        ("macosx_14_0_arm64", ("darwin", "aarch64")),
    ],
)
def test_tags_of_pip(tag: str, machine: tuple[str, str]) -> None:
    assert bundle._machine(tag) == machine


def test_what_cannot_be_bundled(
    wheels: Path, tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BONITO_LOCAL_MODELS", str(tmp_path / "store"))
    out = tmp_path / "out.pyz"
    with pytest.raises(BundleError, match="no model nothing"):
        bundle.create(out, ["nothing"], wheels=wheels)
    with pytest.raises(BundleError, match="has no wheel of bonito-local"):
        bundle.create(out, [], wheels=tmp_path)
    with pytest.raises(BundleError, match="no platform that pip knows"):
        bundle.create(out, [], wheels=wheels, platform="amiga")
    path = store.add(tiny_gguf, "changed")
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    with pytest.raises(BundleError, match="has changed since it was made"):
        bundle.create(out, ["changed"], wheels=wheels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store"]


def test_for_another_platform(wheels: Path, tmp_path: Path) -> None:
    """All wheels here are for any platform, as pip finds out."""
    out = tmp_path / "windows.pyz"
    bundle.create(out, ["bonito-small"], wheels=wheels, platform="win_amd64", python="3.12")
    contents = installer.verify(out)
    assert (contents["platform"], contents["python"]) == (["win32", "x86_64"], "3.12")
    assert len(contents["files"]) == len(list(wheels.glob("*.whl"))) + 1
    with pytest.raises(installer.Refused, match="The bundle is for"):
        installer.install(out, tmp_path / "app")
