"""The store: a folder of GGUF files with a manifest each, where a file's stem is a model's name.

It is `BONITO_LOCAL_MODELS`, or a folder of the user's data. What is being fetched lies in a
hidden folder inside until it is whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.bounds import user_path
from bonito_local.convert.manifest import FileRecord, describe, manifest_path, read_manifest
from bonito_local.errors import ConvertError, ModelError, UsageError
from bonito_local.private import make_folder

VARIABLE = "BONITO_LOCAL_MODELS"
SUFFIX = ".gguf"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHUNK = 1 << 22


def folder() -> Path:
    """Where the models are; it need not exist yet."""
    named = os.environ.get(VARIABLE)
    return user_path(named) if named else user_data_path("bonito-local") / "models"


def find(name: str) -> Path | None:
    """The file of the model with this name, if it is there."""
    path = folder() / f"{name}{SUFFIX}"
    return path if _NAME.fullmatch(name) and path.is_file() else None


def names() -> list[str]:
    """The names of all models in the store."""
    try:
        return sorted(path.stem for path in folder().glob(f"*{SUFFIX}") if find(path.stem))
    except OSError:
        return []


def target(name: str) -> Path:
    """Where a new model of this name goes.

    Raises:
        UsageError: it is no usable name, or one that is taken.
        ModelError: the store cannot be written to.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith(SUFFIX):
        raise UsageError(
            f"{name!r} cannot be a model's name.", "Use letters, digits, '.', '-' and '_'."
        )
    if files("bonito_local.assets").joinpath(f"{name}{SUFFIX}").is_file():
        raise UsageError(
            f"{name} is the model that comes with the package.", "Choose another name."
        )
    if find(name):
        raise UsageError(
            f"There is a model {name} already.",
            f"Choose another name, or take that away: `bonito-local models remove {name}`.",
        )
    try:
        make_folder(folder())
    except OSError as error:
        raise ModelError(
            f"The folder {folder()} cannot be made: {error.strerror}.",
            f"Name one that can be written to in {VARIABLE}.",
        ) from error
    return folder() / f"{name}{SUFFIX}"


def staging(name: str) -> Path:
    """The folder where what is fetched for a model lies until it is whole."""
    return folder() / ".pull" / name


def add(
    source: Path, name: str | None = None, progress: Callable[[int, int], None] = lambda *_: None
) -> Path:
    """Copy a GGUF file and its manifest into the store; return where it lies now.

    `progress` is told the bytes copied, and of how many.

    Raises:
        UsageError: the name cannot be used.
        ModelError: the file is broken, is not the one that its manifest describes, or cannot
            be copied. Nothing is left behind.
    """
    read_header(source)
    out = target(name or source.stem)
    size = source.stat().st_size
    if shutil.disk_usage(out.parent).free < size:
        raise ModelError(
            f"{out.parent} has no room for {size / 1e9:.1f} GB.",
            f"Free some space, or name another folder in {VARIABLE}.",
        )
    try:
        said = read_manifest(source)
    except ConvertError as error:
        raise ModelError(error.title, "Remove it, or put the right one there.") from error
    partial = out.with_name(f".{out.name}.adding")
    try:
        record = _copy(source, partial, out.name, progress)
        meant = (said or {}).get("output")
        if isinstance(meant, dict) and meant.get("sha256") != record.sha256:
            raise ModelError(
                f"{source} is not the file that its manifest describes.",
                "It has changed since it was made: copy or make it again.",
            )
        partial.replace(out)
    except OSError as error:
        raise ModelError(f"{source} cannot be copied: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    if said is not None:
        shutil.copyfile(manifest_path(source), manifest_path(out))
    else:
        describe(out, record, source=source.name).write(out)
    return out


def remove(name: str) -> list[Path]:
    """Delete a model, its manifest and its report; return what was deleted.

    Raises:
        UsageError: there is no such model.
        ModelError: a file cannot be deleted.
    """
    path = find(name)
    if path is None:
        known = ", ".join(names()) or "none"
        raise UsageError(f"There is no model {name} in {folder()}.", f"There: {known}.")
    return delete(path)


def delete(path: Path) -> list[Path]:
    """Delete a model file, its manifest and its report, wherever it lies.

    Raises:
        ModelError: a file cannot be deleted.
    """
    gone = []
    for part in (path, manifest_path(path), path.with_name(f"{path.name}.verify.json")):
        try:
            if part.exists():
                part.unlink()
                gone.append(part)
        except OSError as error:
            raise ModelError(f"{part} cannot be deleted: {error.strerror}.") from error
    return gone


def _copy(source: Path, out: Path, name: str, progress: Callable[[int, int], None]) -> FileRecord:
    digest, done, size = hashlib.sha256(), 0, source.stat().st_size
    with source.open("rb") as reading, out.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            writing.write(chunk)
            done += len(chunk)
            progress(done, size)
        writing.flush()
        os.fsync(writing.fileno())
    return FileRecord(name, done, digest.hexdigest())
