"""Checks and installs a bundle; it needs Python alone, and is what `python bundle.pyz` runs.

A bundle is a zip file: this file as `__main__.py`, `bundle.json` with the hash of every other
member, `wheels/` with the application, `models/` with GGUF files and their manifests.
`bonito_local.models.bundle` makes it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMESPACE = "bonito-local-bundle"
CONTENTS = "bundle.json"
OLDEST = (3, 11)
_CHUNK = 1 << 20
_SIGNER = "signer"
_NOT_OURS = "Do not use it: `bonito-local bundle create` makes no such bundle."
_ENCRYPTED = 1
_MOST_CONTENTS, _LARGEST = 16_000_000, 1 << 44
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,50}")
# No dotfiles, no folders but these two, no names that a disk does not take.
_MEMBER = re.compile(
    r"bundle\.json|__main__\.py|wheels/[A-Za-z0-9][\w.+!-]{0,200}\.whl"
    r"|models/[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.gguf(?:\.json)?",
    re.ASCII,
)
# What `zipfile` and `json` raise of a file that is none, or of a stranger's.
_BROKEN = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    RuntimeError,
    ValueError,
)
_VENV = "Python's venv module is needed; Debian has it in python3-venv."


Tell = Callable[[str], None]


class Refused(Exception):
    """Why it cannot be done, and what to do about it."""

    def __init__(self, title: str, remedy: str = "") -> None:
        super().__init__(f"{title} {remedy}".strip())
        self.title = title
        self.remedy = remedy


def read_contents(archive: Path) -> dict[str, Any]:
    """What a bundle says of itself: versions, platform, files with their hashes, models.

    Raises:
        Refused: it is no bundle, or cut off.
    """
    try:
        if not stat.S_ISREG(archive.stat().st_mode):
            raise Refused(f"{archive} is no file.", "Check the path.")
        with zipfile.ZipFile(archive) as bundle:
            about = bundle.getinfo(CONTENTS)  # a wheel's own end is found in one that is cut off
            _check_members(archive, bundle.infolist())
            if about.file_size > _MOST_CONTENTS:
                raise Refused(f"{archive} says too much of itself.", _NOT_OURS)
            contents = json.loads(bundle.read(CONTENTS))
    except FileNotFoundError as error:
        raise Refused(f"There is no file {archive}.", "Check the path.") from error
    except _BROKEN as error:
        raise Refused(
            f"{archive} is not a whole bundle ({type(error).__name__}).",
            "Copy it again, and compare its size.",
        ) from error
    return _checked(archive, contents)


def _check_members(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    """See that all members are plain files, stored as they are, each once, named as ours are.

    Raises:
        Refused: one is not.
    """
    seen: set[str] = set()
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        plain = kind in (0, stat.S_IFREG) and not member.flag_bits & _ENCRYPTED
        if not plain or member.compress_type != zipfile.ZIP_STORED:
            raise Refused(f"{archive} holds a link, or what is packed or encrypted.", _NOT_OURS)
        if not _MEMBER.fullmatch(member.filename) or member.filename.lower() in seen:
            raise Refused(f"{archive} holds a file of a name that none has.", _NOT_OURS)
        seen.add(member.filename.lower())


def _checked(archive: Path, contents: Any) -> dict[str, Any]:
    """Return the contents, with the files by name, seen to be of the types they must have.

    Raises:
        Refused: they are not, or of a newer format.
    """
    broken = Refused(f"{archive} does not say what a bundle says of itself.", _NOT_OURS)
    if not isinstance(contents, dict) or type(contents.get("format")) is not int:
        raise broken
    if contents["format"] != 1:
        raise Refused(f"{archive} has format {str(contents['format'])[:20]}.", "It is newer.")
    version, python = contents.get("version"), contents.get("python")
    machine, files = contents.get("platform"), contents.get("files")
    if not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise broken
    if not (isinstance(python, str) and re.fullmatch(r"[0-9]{1,2}\.[0-9]{1,2}", python)):
        raise broken
    if not isinstance(machine, list) or len(machine) != len(("system", "processor")):
        raise broken
    if not all(isinstance(part, str) and re.fullmatch(r"\w{1,30}", part) for part in machine):
        raise broken
    if not isinstance(files, list) or not all(_is_entry(entry) for entry in files):
        raise broken
    by_name = {entry["name"]: (entry["bytes"], entry["sha256"]) for entry in files}
    if len(by_name) != len(files) or CONTENTS in by_name:
        raise broken
    return {**contents, "files": by_name}


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    name, size, sha256 = entry.get("name"), entry.get("bytes"), entry.get("sha256")
    return (
        isinstance(name, str)
        and _MEMBER.fullmatch(name) is not None
        and type(size) is int
        and 0 <= size <= _LARGEST
        and isinstance(sha256, str)
        and re.fullmatch(r"[0-9a-f]{64}", sha256) is not None
    )


def verify(archive: Path, key: Path | None = None) -> dict[str, Any]:
    """Check every byte of a bundle, with `key` its signature too; return its contents.

    Raises:
        Refused: it is not what it was when it was made, or was not signed with this key.
    """
    if key is not None:
        check_signature(archive, key)
    contents = read_contents(archive)
    files = contents["files"]
    with zipfile.ZipFile(archive) as bundle:
        there = [member.filename for member in bundle.infolist()]
        if sorted(there) != sorted([*files, CONTENTS]):
            raise Refused(f"{archive} holds other files than it names.", "Do not use it.")
        for name, (size, sha256) in files.items():
            digest, count = hashlib.sha256(), 0
            try:
                with bundle.open(name) as member:
                    while chunk := member.read(_CHUNK):
                        digest.update(chunk)
                        count += len(chunk)
                        if count > size:
                            break
            except _BROKEN as error:
                raise Refused(
                    f"{name} in {archive} is damaged ({type(error).__name__}).", "Copy it again."
                ) from error
            if (count, digest.hexdigest()) != (size, sha256):
                raise Refused(f"{name} in {archive} is not what it was.", "Copy it again.")
    return contents


def check_signature(archive: Path, key: Path) -> None:
    """See that `<archive>.sig` is a signature of the whole file by the public key in `key`.

    Raises:
        Refused: it is not, or there is no ssh-keygen to tell.
    """
    signature = archive.with_name(archive.name + ".sig")
    for path in (archive, signature, key):
        if not path.is_file():
            raise Refused(f"There is no file {path}.", "The signature lies beside the bundle.")
    with tempfile.TemporaryDirectory() as folder:
        allowed = Path(folder) / "allowed"
        allowed.write_text(f"{_SIGNER} {key.read_text().strip()}\n")
        command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", _SIGNER]
        try:
            with archive.open("rb") as data:
                ended = subprocess.run(
                    [*command, "-n", NAMESPACE, "-s", str(signature)],
                    stdin=data,
                    capture_output=True,
                    check=False,
                )
        except FileNotFoundError as error:
            raise Refused("There is no ssh-keygen.", "Install OpenSSH 8.1 or newer.") from error
    if ended.returncode:
        raise Refused(
            f"{archive} was not signed with {key}, or has changed since.", "Do not use it."
        )


def check_machine(contents: dict[str, Any]) -> None:
    """See that the bundle is for this Python and this kind of machine.

    Raises:
        Refused: it is not.
    """
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < OLDEST or contents["python"] != here:
        raise Refused(
            f"The bundle is for Python {contents['python']}; this is {here}.",
            f"Run it with python{contents['python']}, or make one for Python {here}.",
        )
    system, machine = contents["platform"]
    if (system, machine) != this_machine():
        raise Refused(
            f"The bundle is for {system} on {machine}; this is {' on '.join(this_machine())}.",
            "Make one for this machine: `bonito-local bundle create --platform`.",
        )


def this_machine() -> tuple[str, str]:
    """The system and the processor, by the names that bundles use."""
    return sys.platform, plain_machine(platform.machine())


def plain_machine(name: str) -> str:
    """One name for each processor: systems call them differently."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name.lower(), name.lower())


def install(
    archive: Path, folder: Path, key: Path | None = None, tell: Tell = lambda _: None
) -> Path:
    """Install the application into `folder`, the models into the user's store; return its program.

    Where an earlier one is installed, it is brought to this version; `tell` is told what else
    changed.

    Raises:
        Refused: the bundle is damaged or for another machine, or `folder` is taken.
    """
    contents = verify(archive, key)
    check_machine(contents)
    program = folder / ("Scripts" if os.name == "nt" else "bin") / "bonito-local"
    again = _python(folder).exists() and (folder / "pyvenv.cfg").is_file()
    if folder.exists() and any(folder.iterdir()) and not again:
        raise Refused(f"{folder} holds something else.", "Name another folder with --to.")
    needed = sum(size for size, _ in contents["files"].values())
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < 2 * needed:
        raise Refused(
            f"{folder} has too little room.", f"About {2 * needed / 1e9:.1f} GB are needed."
        )
    try:
        if not again:
            said = _run(sys.executable, "-m", "venv", str(folder))
            if said is not None:
                raise Refused(f"No virtual environment can be made: {said}.", _VENV)
        _application(archive, folder, contents)
        _models(archive, folder, contents, tell)
    except BaseException:
        if not again:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return program


def _application(archive: Path, folder: Path, contents: dict[str, Any]) -> None:
    """The wheels, into the virtual environment in `folder`; nothing is looked for elsewhere."""
    with tempfile.TemporaryDirectory(dir=folder) as wheels, zipfile.ZipFile(archive) as bundle:
        for name in contents["files"]:
            if name.startswith("wheels/"):
                with bundle.open(name) as data, (Path(wheels) / Path(name).name).open("wb") as out:
                    shutil.copyfileobj(data, out, _CHUNK)
        said = _run(
            str(_python(folder)),
            *(
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-index",
                "--disable-pip-version-check",
                "--upgrade",
            ),
            *("--find-links", wheels, f"bonito-local=={contents['version']}"),
        )
    if said is not None:
        raise Refused(f"The application cannot be installed: {said}.", "Make the bundle again.")


def _models(archive: Path, folder: Path, contents: dict[str, Any], tell: Tell) -> None:
    """Each model and its manifest, into the store of the application that was just installed."""
    ask = "from bonito_local.models.store import folder; print(folder())"
    told = subprocess.run(
        [str(_python(folder)), "-I", "-c", ask], capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise Refused("The application does not start.", told.stderr.strip().splitlines()[-1])
    store = Path(told.stdout.strip())
    store.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive) as bundle:
        carried = [name for name in contents["files"] if name.startswith("models/")]
        # Weights before manifests: what is half installed must not pass for whole.
        for name in sorted(carried, key=lambda name: (name.endswith(".json"), name)):
            size, sha256 = contents["files"][name]
            out = store / Path(name).name
            if out.exists() and out.stat().st_size == size and _sha256(out) == sha256:
                continue
            if out.exists() and name.endswith(".gguf"):
                kept = _set_aside(out)
                tell(f"The model {out.stem} was another one: it is kept as {kept}.")
            fresh = out.with_name(f".{out.name}.installing")
            with bundle.open(name) as data, fresh.open("wb") as file:
                shutil.copyfileobj(data, file, _CHUNK)
            fresh.replace(out)


def _set_aside(out: Path) -> str:
    """Give another model of this name a new one, with its manifest; return its name."""
    kept = out.with_name(f"{out.stem}.before.gguf")
    manifest = out.with_name(f"{out.name}.json")
    if manifest.exists():
        manifest.replace(kept.with_name(f"{kept.name}.json"))
    out.replace(kept)
    return kept.stem


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(*command: str) -> str | None:
    """Run a command; return the last line of what it said if it failed."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return None
    lines = (ended.stderr + ended.stdout).strip().splitlines()
    return lines[-1].strip().rstrip(".") if lines else f"status {ended.returncode}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Be the program in a bundle."""
    archive = Path(sys.argv[0])
    parser = argparse.ArgumentParser(
        prog=f"python {archive.name}", description="bonito-local and its models, in one file."
    )
    parser.add_argument("what", choices=["verify", "install"])
    parser.add_argument(
        "--to", type=Path, default=Path.home() / "bonito-local", help="[%(default)s]"
    )
    parser.add_argument("--key", type=Path, help="public key (ssh) of who signed it")
    args = parser.parse_args()
    try:
        if args.what == "verify":
            contents = verify(archive, args.key)
            sys.stdout.write(f"{archive}: whole, {len(contents['files'])} files" + "\n")
            return 0
        program = install(archive, args.to, args.key, _say)
    except Refused as error:
        sys.stderr.write(f"error: {error.title}\n{error.remedy}".strip() + "\n")
        return 1
    sys.stdout.write(f"Installed. Start it with {program}" + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
