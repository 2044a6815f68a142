"""Makes a bundle: the application's wheels for a platform, models, an installer, in one file.

`installer.py` has what is in it and how it is checked; the very file goes into the bundle.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from bonito_local.convert.manifest import FileRecord, file_record, manifest_path, read_manifest
from bonito_local.errors import BundleError
from bonito_local.models import installer, store
from bonito_local.models.catalog import known, locate

Tell = Callable[[str], None]


def create(
    out: Path,
    models: Sequence[str],
    *,
    platform: str = "",
    python: str = "",
    wheels: Path | None = None,
    sign: Path | None = None,
    tell: Tell = lambda _: None,
) -> FileRecord:
    """Write a bundle to `out`; return its size and hash.

    `platform` is pip's tag (manylinux_2_28_x86_64, win_amd64, ...) and `python` a version, ""
    for this machine's. With `wheels` the application and all it needs is taken from that folder
    and no network is used; else pip fetches it. `sign` is an SSH private key.

    Raises:
        BundleError: a model or a wheel is missing, or a file cannot be written.
    """
    files = _models(models)
    if out.exists():
        raise BundleError(f"{out} exists.", "Name another file.")
    python = python or f"{sys.version_info[0]}.{sys.version_info[1]}"
    partial = out.with_name(f".{out.name}.partial")
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        tell("collecting the application")
        _collect(Path(folder), platform, python, wheels)
        for wheel in sorted(Path(folder).glob("*.whl")):
            files[f"wheels/{wheel.name}"] = wheel
        files["__main__.py"] = Path(installer.__file__)
        try:
            _write(partial, files, _contents(files, models, platform, python), tell)
            partial.replace(out)
        except OSError as error:
            raise BundleError(f"{out} cannot be written: {error.strerror}.") from error
        finally:
            partial.unlink(missing_ok=True)
    if sign is not None:
        _sign(out, sign)
    return file_record(out)


def _models(names: Sequence[str]) -> dict[str, Path]:
    """Each model and its manifest, by the name it has in the bundle; none that changed."""
    files: dict[str, Path] = {}
    for name in names:
        path = locate(name)
        if path is None:
            there = ", ".join(store.names()) or "none"
            fetched = f"Fetch it first: `bonito-local models pull {name}`. " if known(name) else ""
            raise BundleError(
                f"There is no model {name} in the store.", f"{fetched}There: {there}."
            )
        if path != store.find(name):
            continue  # the package's own comes with its wheel
        meant = (read_manifest(path) or {}).get("output")
        if not isinstance(meant, dict):
            raise BundleError(
                f"{name} has no manifest to check it by.",
                f"Remove it from the store, then: `bonito-local models add {path.name}`.",
            )
        if file_record(path).sha256 != meant.get("sha256"):
            raise BundleError(
                f"{path} has changed since it was made.", "Fetch it again, or see `models verify`."
            )
        files[f"models/{path.name}"] = path
        files[f"models/{path.name}.json"] = manifest_path(path)
    return files


def _collect(folder: Path, platform: str, python: str, wheels: Path | None) -> None:
    """Put the wheels of the application and of all it needs into `folder`, as installed here."""
    if importlib.util.find_spec("pip") is None:
        raise BundleError("There is no pip in this environment.", "python -m ensurepip")
    source = ["--no-index", "--find-links", str(wheels)] if wheels else []
    own = _own(wheels)
    # The same releases as here: those were tried, and pip may have built them already.
    pins = folder / "constraints.txt"
    pins.write_text("".join(f"{of.name}=={of.version}\n" for of in distributions() if _plain(of)))
    source += ["--constraint", str(pins)]
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if not platform and python == here:
        _pip("wheel", "--wheel-dir", str(folder), *source, own)
        return
    if not own.endswith(".whl") and "==" not in own:
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), own)
        own = str(next(folder.glob("bonito_local-*.whl")))
    tags = ["--platform", platform] if platform else []
    _pip(
        "download",
        *("--only-binary", ":all:", "--python-version", python, "--implementation", "cp"),
        *(*tags, "--dest", str(folder), *source, own),
    )


def _own(wheels: Path | None) -> str:
    """What pip is to be given for this very version: a wheel, the folder it is installed from."""
    installed = distribution("bonito-local")
    if wheels is not None:
        found = sorted(wheels.glob(f"bonito_local-{installed.version}-*.whl"))
        if not found:
            raise BundleError(
                f"{wheels} has no wheel of bonito-local {installed.version}.",
                f"Make one: pip wheel --no-deps -w {wheels} bonito-local",
            )
        return str(found[0])
    address = json.loads(installed.read_text("direct_url.json") or "{}").get("url", "")
    if address.startswith("file:"):
        return url2pathname(unquote(urlsplit(address).path))
    return f"bonito-local=={installed.version}"


def _plain(installed: Distribution) -> bool:
    """Whether it is a release that pip can get elsewhere too."""
    return installed.name != "bonito-local" and "+" not in installed.version


def _pip(*arguments: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.startswith("ERROR")]
        raise BundleError(
            f"pip cannot collect the application: {(said or ['it failed'])[-1]}",
            "Where a package has no wheel for the platform, build them on such a machine with "
            "`pip wheel -w wheels bonito-local`, and give --wheels wheels.",
        )


def _contents(
    files: dict[str, Path], models: Sequence[str], platform: str, python: str
) -> dict[str, object]:
    records = [file_record(path, name) for name, path in sorted(files.items())]
    return {
        "format": 1,
        "version": distribution("bonito-local").version,
        "python": python,
        "platform": _machine(platform),
        "models": list(models),
        "files": [{"name": r.name, "bytes": r.bytes, "sha256": r.sha256} for r in records],
    }


def _machine(platform: str) -> tuple[str, str]:
    """System and processor of one of pip's platform tags."""
    if not platform:
        return installer.this_machine()
    systems = {"manylinux": "linux", "musllinux": "linux", "linux": "linux"}
    systems |= {"macosx": "darwin", "win": "win32"}
    system = next((name for start, name in systems.items() if platform.startswith(start)), None)
    machines = ("x86_64", "amd64", "aarch64", "arm64", "armv7l", "ppc64le", "s390x", "riscv64")
    machine = next((name for name in machines if platform.endswith(name)), None)
    if system is None or machine is None:
        raise BundleError(
            f"{platform!r} is no platform that pip knows.",
            "Such as manylinux_2_28_x86_64, macosx_14_0_arm64 or win_amd64.",
        )
    return system, installer.plain_machine(machine)


def _write(out: Path, files: dict[str, Path], contents: dict[str, object], tell: Tell) -> None:
    # Wheels and weights do not get smaller: they are stored, which is quick to check too.
    with zipfile.ZipFile(out, "x", zipfile.ZIP_STORED) as bundle:
        bundle.writestr(installer.CONTENTS, json.dumps(contents, indent=1))
        for name, path in files.items():
            if not name.startswith("wheels/"):
                tell(f"packing {name}")
            bundle.write(path, name)
    with out.open("r+b") as file:
        os.fsync(file.fileno())


def _sign(out: Path, key: Path) -> None:
    """Sign the whole file, beside it, as `ssh-keygen -Y verify` checks without any of our code."""
    out.with_name(f"{out.name}.sig").unlink(missing_ok=True)
    try:
        ended = subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", installer.NAMESPACE, str(out)],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise BundleError("There is no ssh-keygen.", "Install OpenSSH 8.1 or newer.") from error
    if ended.returncode:
        said = (ended.stderr.strip().splitlines() or ["it failed"])[-1]
        raise BundleError(f"{out} is written but not signed: {said}", "Check the key.")
