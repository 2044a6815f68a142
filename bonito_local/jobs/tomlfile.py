"""Reads a file of the user's in TOML."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from bonito_local.errors import UsageError, reason


def read_toml(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The file's tables; `what` it is and the `remedy` are for one that cannot be read.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    text = _text(path, what, remedy)
    too_deep = UsageError(f"{path} is nested too deeply.", "Write it plainly.")
    # tomllib takes time by the square of a dotted key's length: minutes for 100 kB.
    if any(found[1] and found[0].count(".") > _MOST_DEPTH for found in _DOTTED_KEY.finditer(text)):
        raise too_deep
    try:
        data = tomllib.loads(text)
        _check_digits(data)
    except RecursionError as error:
        raise too_deep from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{path} is not TOML: {error}.", "Text goes in quotes; lists in [ and ]."
        ) from error
    except ValueError as error:  # a number of thousands of digits, a date that never was
        raise UsageError(
            f"{path} holds a number or a date that cannot be.", "Look for one that is too long."
        ) from error
    return data


def _check_digits(data: dict[str, Any]) -> None:
    """Raise ValueError for a number too long to be shown: tomllib refuses decimal ones alone."""
    values: list[Any] = [data]
    while values:
        value = values.pop()
        if isinstance(value, dict | list):
            values += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise ValueError("too many digits")


def _text(path: Path, what: str, remedy: str) -> str:
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not _is_pipe(file.fileno()):
                raise UsageError(f"The {what} {path} is no file.", remedy)
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"The {what} {path} cannot be read: {reason(error)}.", remedy) from error
    if len(data) > _MOST_BYTES:
        most = f"A {what} has at most {_MOST_BYTES // 1_000_000} MB."
        raise UsageError(f"{path} is too large.", most)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not TOML: {error}.", "Text goes in quotes; lists in [ and ]."
        ) from error


def _is_pipe(number: int) -> bool:
    return stat.S_ISFIFO(os.fstat(number).st_mode)


_MOST_BYTES = 16_000_000
_MOST_DEPTH = 100  # of tables in tables
_MOST_BITS = 10_000
_KEY = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
# The whole run of keys is consumed, whatever follows it: none is looked at twice.
_DOTTED_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_KEY}(?:[ \t]*+\.[ \t]*+{_KEY})++([ \t]*+[=\]])?")
