"""Every way to install the package, each in a virtual environment of its own.

Nothing is downloaded: setuptools' build hooks run in this interpreter, and the new
environment finds the dependencies in this one's site-packages.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = {
    "bonito_local": "bonito_local",
    "convert": "bonito_local/convert",
    "tui": "bonito_local/tui",
}
HOOK = "import sys; from setuptools import build_meta as b; print(getattr(b, sys.argv[1])('.'))"


def shipped(checkout: Path) -> dict[str, str]:
    """Path in the checkout -> path once installed, of all that the package holds."""
    return {
        f"{source}/{path.relative_to(checkout / source)}": (
            f"{target}/{path.relative_to(checkout / source)}"
        )
        for source, target in HOMES.items()
        for path in (checkout / source).rglob("*")
        if path.is_file()
    }


def build(hook: str, source: Path) -> Path:
    """Run a build hook in `source` and return the archive it made."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HOOK, f"build_{hook}"],
        cwd=source,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return source / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a checkout holds for building."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "docs/man", folder / "docs/man")
    for name in HOMES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path) -> Path:
    return build("wheel", checkout)


@pytest.fixture(scope="module")
def sdist(checkout: Path) -> Path:
    return build("sdist", checkout)


@pytest.fixture(scope="module")
def wheel_of_sdist(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return build("wheel", folder / sdist.name.removesuffix(".tar.gz"))


@pytest.fixture(scope="module")
def editable(checkout: Path) -> Path:
    target = checkout / "editable"
    target.mkdir()
    archive = build("editable", checkout)
    return archive.rename(target / archive.name)


def install(archive: Path, folder: Path) -> tuple[Path, set[str]]:
    """Install into a new environment; return its folder and what then lies in site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder)]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", archive], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    top_level = {path.name for path in site.iterdir()}
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder, top_level


def run(folder: Path, program: str, *args: str) -> str:
    """Run a program of the environment, away from the checkout, and return its output."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [folder / "bin" / program, *args],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def where(folder: Path) -> dict[str, str | None]:
    """Where the environment finds some modules; None for those it does not find."""
    names = ["bonito_local", "bonito_local.convert", "bonito_local.tui", "convert", "tui"]
    code = (
        "import json; from importlib.util import find_spec\n"
        f"found = {{name: find_spec(name) for name in {names}}}\n"
        "print(json.dumps({name: spec and spec.origin for name, spec in found.items()}))"
    )
    found: dict[str, str | None] = json.loads(run(folder, "python", "-I", "-c", code))
    return found


@pytest.mark.parametrize("kind", ["wheel", "wheel_of_sdist"])
def test_a_wheel_holds_every_file_under_its_installed_name(
    kind: str, checkout: Path, request: pytest.FixtureRequest
) -> None:
    with zipfile.ZipFile(request.getfixturevalue(kind)) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    man = f"bonito_local-{version()}.data/data/share/man/man1/bonito-local.1"
    assert files == {*shipped(checkout).values(), man}


def test_an_sdist_holds_every_file_where_the_checkout_has_it(checkout: Path, sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert (
        set(shipped(checkout))
        | {
            "pyproject.toml",
            "README.md",
            "LICENSE",
            "docs/man/bonito-local.1",
        }
        <= files
    )


@pytest.mark.parametrize("kind", ["wheel", "wheel_of_sdist"])
def test_an_installed_package_has_one_name(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder, top_level = install(request.getfixturevalue(kind), tmp_path / "env")
    assert top_level == {"bonito_local", f"bonito_local-{version()}.dist-info"}
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)})) / "bonito_local"
    assert where(folder) == {
        "bonito_local": str(site / "__init__.py"),
        "bonito_local.convert": str(site / "convert/__init__.py"),
        "bonito_local.tui": str(site / "tui/__init__.py"),
        "convert": None,
        "tui": None,
    }
    assert run(folder, "bonito-local", "--version").split()[1] == version()
    assert (folder / "share/man/man1/bonito-local.1").read_text().startswith(".TH BONITO-LOCAL 1")


def test_an_editable_install_maps_the_folders_of_the_checkout(
    editable: Path, checkout: Path, tmp_path: Path
) -> None:
    folder, top_level = install(editable, tmp_path / "env")
    assert not {"convert", "tui"} & top_level
    assert where(folder) == {
        "bonito_local": str(checkout / "bonito_local/__init__.py"),
        "bonito_local.convert": str(checkout / "convert/__init__.py"),
        "bonito_local.tui": str(checkout / "tui/__init__.py"),
        "convert": None,
        "tui": None,
    }
    assert run(folder, "bonito-local", "--version").split()[1] == version()


def version() -> str:
    import bonito_local

    return bonito_local.__version__
