"""A job by what its user calls it. Small, so that a command that only looks at one is quick."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bonito_local.errors import UsageError
from bonito_local.jobs.folder import store_path

if TYPE_CHECKING:
    from bonito_local.jobs.registry import Entry


_LONGEST_NUMBER = 19


def find_job(name: str, *, gone: bool = False) -> Path:
    """The output folder of a job that a user named by its number, folder or job file.

    With `gone`, one on the list need not be there any more.

    Raises:
        UsageError: there is no such job.
    """
    if "\0" in name:
        raise UsageError("There is no job of that name.", "`bonito-local jobs` lists them.")
    # Python reads no number of thousands of digits.
    if name.isdecimal() and len(name) < _LONGEST_NUMBER and not Path(name).exists():
        for entry in _entries():
            if entry.id == int(name):
                return entry.output
        raise UsageError(f"There is no job {name}.", "`bonito-local jobs` lists them.")
    path = Path(name)
    if path.is_file():
        from bonito_local.jobs.jobfile import read_job

        wanted = read_job(path)
        path = wanted.output
    listed = gone and path.resolve() in [entry.output for entry in _entries()]
    if not listed and not store_path(path).exists():
        raise UsageError(f"There is no job in {path}.", "`bonito-local jobs` lists them.")
    return path


def _entries() -> list[Entry]:
    from bonito_local.jobs.registry import Registry

    return Registry().entries()
