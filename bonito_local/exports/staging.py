"""Files of a folder that take their names together, once all are complete, and only then.

What is written lies in `FOLDER/.part` until then, and each file is 0600. `FOLDER/export.json`
lists what an export wrote: the next one takes its files' places and removes the others.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Self

from bonito_local.errors import OutputError, writing
from bonito_local.private import make_folder
from bonito_local.shapes import parse

MANIFEST = "export.json"
PART = ".part"
# What the first versions wrote, without a manifest.
_UNLISTED = ("README.md", "data/train.parquet", "rows.jsonl", "ledger.json", "problems.json")


class Staging:
    """Opens files of `folder`; leaving the block gives them their names, an error drops them."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self._folder = folder
        self._about = about
        self._part = folder / PART
        self._open: dict[str, IO[bytes]] = {}

    def __enter__(self) -> Self:
        with self._told():
            make_folder(self._folder)
            # Left by a process that was killed while it wrote.
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(mode=0o700)
        return self

    def file(self, name: str) -> IO[bytes]:
        """Open the file that will be `folder / name`, for writing."""
        path = self._part / name
        make_folder(path.parent)
        opened = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._open[name] = opened
        return opened

    def text(self, name: str, text: str) -> None:
        """Write a whole file."""
        self.file(name).write(text.encode())

    def json(self, name: str, value: Any) -> None:
        """Write a whole file of JSON."""
        self.text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            with self._told():
                if isinstance(error, OSError):
                    raise error
                if error is None:
                    self._commit()
        finally:
            for file in self._open.values():
                with suppress(OSError):  # It may not be writable any more.
                    file.close()
            shutil.rmtree(self._part, ignore_errors=True)

    def _commit(self) -> None:
        names = [*self._open, MANIFEST]
        self.json(MANIFEST, {**self._about, "files": sorted(names)})
        for file in self._open.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        before = written(self._folder)
        for name in names:
            (self._folder / name).parent.mkdir(mode=0o700, exist_ok=True)
            (self._part / name).replace(self._folder / name)
        for path in before:
            if path.relative_to(self._folder).as_posix() not in names:
                path.unlink(missing_ok=True)
                remove_empty(path.parent, self._folder)

    def _told(self) -> AbstractContextManager[None]:
        return writing(
            f"The dataset cannot be written to {self._folder}",
            "Free some space or see to the folder, and run the same command again: "
            "nothing generated is lost, and what was there before is untouched.",
        )


def write_private(path: Path, text: str) -> None:
    """Write a file of one's own, 0600, in place of the one there once it is complete.

    Raises:
        OutputError: it cannot be written; what was there is untouched.
    """
    part = path.with_name(f"{path.name}{PART}")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Name a file on a disk with space that you may write to.",
        ) from error


def manifest(folder: Path) -> dict[str, Any] | None:
    """What the export in `folder` says of itself; None where there is none."""
    try:
        found = parse((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("made_by") == "bonito-local" else None


def written(folder: Path) -> list[Path]:
    """The files in `folder` that an export wrote."""
    found = manifest(folder)
    listed = found.get("files") if found else None
    if found is None and all((folder / name).is_file() for name in _UNLISTED):
        listed = list(_UNLISTED)
    names = [name for name in listed or () if isinstance(name, str) and _inside(name)]
    return [path for name in names if (path := folder / name).is_file() and not path.is_symlink()]


def _inside(name: str) -> bool:
    """Whether a name in a manifest, which anyone may have changed, stays in its folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def remove_empty(folder: Path, top: Path) -> None:
    """Remove `folder` and those above it that are empty then, up to but not `top`."""
    while folder != top and top in folder.parents:
        if folder.is_dir():
            if any(folder.iterdir()):
                return
            folder.rmdir()
        folder = folder.parent
