"""What plain data from outside is to look like: types, ranges, sizes; one validator for all of it.

JSON of stores, bundles, hubs and servers is read by `parse` and held against a shape. What is wrong
is named by its place, without its value, which may be a document's text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

Shape = Callable[[Any, str], None]

_MOST_DIGITS = 400
_MOST_DEPTH = 64
_MOST_BYTES = 64_000_000


class ShapeError(ValueError):
    """Data is not of its shape; the message says where and what was meant."""


def parse(data: bytes | str, *, most: int = _MOST_BYTES, depth: int = _MOST_DEPTH) -> Any:
    """Return the value of a JSON text of at most so many bytes, nested at most so deeply.

    Raises:
        ShapeError: it is none, or beyond these bounds.
    """
    if len(data) > most:
        raise ShapeError(f"longer than {most:,} bytes")
    try:
        value = json.loads(data, parse_int=_whole)
    except RecursionError as error:
        raise ShapeError("nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits, too
        raise ShapeError("no JSON") from error
    _check_depth(value, depth)
    return value


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ShapeError("a number of too many digits")
    return int(digits)


def _check_depth(value: Any, most: int) -> None:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ShapeError("nested too deeply")


def text(value: Any, at: str) -> None:
    """Accept a text."""
    if not isinstance(value, str):
        raise ShapeError(f"{at} is no text")


def flag(value: Any, at: str) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        raise ShapeError(f"{at} is neither true nor false")


def anything(_value: Any, _at: str) -> None:
    """Accept whatever stands there."""


def whole(low: int = -(1 << 63), high: int = (1 << 63) - 1) -> Shape:
    """Accept a whole number of a range; usually what SQLite holds."""

    def check(value: Any, at: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ShapeError(f"{at} is no whole number of its range")

    return check


def number(low: float = -1e300, high: float = 1e300) -> Shape:
    """Accept a finite number of a range."""

    def check(value: Any, at: str) -> None:
        wrong = isinstance(value, bool) or not isinstance(value, int | float)
        if wrong or not low <= value <= high or (isinstance(value, float) and math.isnan(value)):
            raise ShapeError(f"{at} is no number of its range")

    return check


def one_of(*known: object) -> Shape:
    """Accept one of a few values."""

    def check(value: Any, at: str) -> None:
        if not any(type(value) is type(other) and value == other for other in known):
            raise ShapeError(f"{at} is none of what it may be")

    return check


def maybe(shape: Shape) -> Shape:
    """Accept null as well."""

    def check(value: Any, at: str) -> None:
        if value is not None:
            shape(value, at)

    return check


def either(*shapes: Shape) -> Shape:
    """Accept what any of these accepts."""

    def check(value: Any, at: str) -> None:
        for shape in shapes:
            try:
                return shape(value, at)
            except ShapeError:
                continue
        raise ShapeError(f"{at} is none of what it may be")

    return check


def list_of(shape: Shape, most: int = 1_000_000) -> Shape:
    """Accept a list of so many at most."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, list | tuple):
            raise ShapeError(f"{at} is no list")
        if len(value) > most:
            raise ShapeError(f"{at} has over {most:,} entries")
        for number, entry in enumerate(value):
            shape(entry, f"{at}[{number}]")

    return check


def map_of(shape: Shape, most: int = 100_000) -> Shape:
    """Accept an object whose values are all alike."""

    def check(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise ShapeError(f"{at} is no object")
        if len(value) > most:
            raise ShapeError(f"{at} has over {most:,} entries")
        for entry in value.values():
            shape(entry, f"{at}'s value")

    return check


def record(
    required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None, *, open: bool = True
) -> Shape:
    """Accept an object with these keys; with `open`, others too, of whatever kind."""
    known = {**(optional or {}), **required}

    def check(value: Any, at: str) -> None:
        if not isinstance(value, dict):
            raise ShapeError(f"{at} is no object")
        for key in required:
            if key not in value:
                raise ShapeError(f"{at} lacks {key}")
        for key, entry in value.items():
            if key in known:
                known[key](entry, f"{at}.{key}")
            elif not open:
                raise ShapeError(f"{at} holds what it should not")

    return check
