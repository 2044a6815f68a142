"""Reads a file of the user's in TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from bonito_local.errors import UsageError


def read_toml(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The file's tables; `what` it is and the `remedy` are for one that cannot be read.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"The {what} {path} cannot be read: {error.strerror}.", remedy) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path} is not TOML: {error}.", "Text goes in quotes; lists in [ and ]."
        ) from error
