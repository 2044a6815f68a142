"""From the hub into the store: a checkpoint is converted as it comes (see conversion.py).

A GGUF that somebody published is fetched as it is, or has an adapter merged into it first
(see merging.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.convert.manifest import FileRecord, describe
from bonito_local.convert.mixes import find_mix
from bonito_local.errors import DownloadError, ModelError, UsageError
from bonito_local.models import hub, store
from bonito_local.models.conversion import Conversion
from bonito_local.models.fetching import Step, Tell, check_room
from bonito_local.models.hub import HubFile, Repo
from bonito_local.models.merging import Merging, Recipe
from bonito_local.private import make_folder


def pull(
    repo: Repo, name: str, *, quant: str = "Q4_K_M", file: HubFile | None = None, tell: Tell
) -> Path:
    """Fetch a model, or go on with fetching it, and return where it is then.

    `file` is a GGUF of the model's: it is taken as it is, and `quant` plays no part.

    Raises:
        DownloadError: something cannot be fetched, or has a wrong hash; what was done stays.
        ConvertError: the checkpoint cannot be converted, or the disk is too full.
        UsageError: the name is taken, or the quantization unknown.
        ModelError: what was fetched is no model, or the store cannot be written to.
    """
    find_mix(quant)
    with _staged(name) as (folder, out):
        if file is not None:
            _fetch_whole(repo, file, folder, out, tell)
        else:
            Conversion(repo, folder, out, quant, tell).run()
    return out


def make(recipe: Recipe, name: str, *, quant: str, tell: Tell) -> Path:
    """Make a model with an adapter, and return its path in the store.

    Raises:
        DownloadError: the base cannot be downloaded; what was downloaded is kept.
        ConvertError: the adapter does not fit the base, or the disk is too full.
        UsageError: the name is taken, or the quantization unknown.
        ModelError: the local file is not the base, or the store cannot be written to.
    """
    find_mix(quant)
    with _staged(name) as (folder, out):
        Merging(recipe, folder, out, quant, tell).run()
    return out


@contextmanager
def _staged(name: str) -> Iterator[tuple[Path, Path]]:
    """Lock a new model's name, and yield its staging folder and its path in the store.

    The folder is removed once the model is complete; after an error it stays, to resume from.
    """
    out = store.target(name)
    folder = store.staging(name)
    try:
        make_folder(folder)
        with FileLock(folder.parent / f"{name}.lock", timeout=0):
            yield folder, out
            shutil.rmtree(folder, ignore_errors=True)
    except Timeout as error:
        raise UsageError(f"{name} is being fetched already.", "Wait for that to end.") from error
    except OSError as error:
        raise ModelError(
            f"{error.filename or out} cannot be written: {error.strerror}.",
            "Free some space, or name another folder in BONITO_LOCAL_MODELS; what is there stays.",
        ) from error


def _fetch_whole(repo: Repo, file: HubFile, folder: Path, out: Path, tell: Tell) -> None:
    if not file.sha256:
        raise DownloadError(f"The hub has no SHA-256 of {file.name}.", "It could not be checked.")
    part = folder / "model.gguf"
    check_room(folder, file.bytes)
    hub.fetch(repo, file, part, lambda done: tell(Step(file.name, done, file.bytes)))
    read_header(part)
    record = FileRecord(out.name, file.bytes, file.sha256)
    source = f"{repo.name}/{file.name}"
    manifest = describe(part, record, source=source, revision=repo.commit, licence=repo.licence)
    part.replace(out)
    manifest.write(out)
