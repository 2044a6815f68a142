"""The file of rows, in an order that their own hashes give: shuffled, and always alike.

Rows are spread over pieces on disk by hash, and each piece is sorted when all are there, so that
only one piece is ever in memory. The file takes its name once it is complete, and is 0600.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bonito_local.errors import writing

_PIECES = 64  # few enough to be open at once
_DIGITS = 16


class ShuffledRows:
    """Takes rows for `path`; leaving the block writes it, and an error leaves it as it was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._pieces: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        with self._told():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Left by a process that was killed while it wrote.
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(mode=0o700)
            for number in range(_PIECES):
                self._pieces.append(_private(self._piece(number)))
        return self

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep a row for the file."""
        line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")
        digest = blake2b(line, digest_size=_DIGITS // 2).hexdigest()
        with self._told():
            self._pieces[int(digest[:2], 16) % _PIECES].write(digest.encode() + line + b"\n")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with self._told():
                    self._write()
        finally:
            for piece in self._pieces:
                with suppress(OSError):  # It may not be writable any more.
                    piece.close()
            shutil.rmtree(self._part, ignore_errors=True)

    def _write(self) -> None:
        whole = self._part / "rows"
        with _private(whole) as file:
            for number, piece in enumerate(self._pieces):
                piece.close()
                lines = sorted(self._piece(number).read_bytes().splitlines(keepends=True))
                file.writelines(line[_DIGITS:] for line in lines)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(self._path)

    def _piece(self, number: int) -> Path:
        return self._part / f"{number:02}"

    def _told(self) -> AbstractContextManager[None]:
        return writing(
            f"{self._path} cannot be written",
            "Free some space or name another file; what was there before is untouched.",
        )


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
