"""The types of a statement's columns: SQLite keeps whatever was written to any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_KINDS: dict[str, tuple[type, ...]] = {
    "whole": (int,),
    "number": (int, float),
    "text": (str,),
    "bytes": (bytes,),
    "any": (int, float, str, bytes, type(None)),
}


class WrongTypeError(ValueError):
    """A column holds a value of another type than it is for."""


def check_hashes(name: str, value: object, *lengths: int) -> None:
    """Raise WrongTypeError unless a column holds bytes of one of these lengths."""
    if not isinstance(value, bytes) or len(value) not in lengths:
        raise WrongTypeError(name)


class Columns:
    """What a statement's columns hold, by name: "whole", "number", "text", "bytes" or "any".

    A kind with a "?" may be null. Each combination of types is checked once: then a row costs one
    look into a set.
    """

    def __init__(self, **kinds: str) -> None:
        self._allowed = [
            (*_KINDS[kind.removesuffix("?")], *((type(None),) if kind.endswith("?") else ()))
            for kind in kinds.values()
        ]
        self._names = list(kinds)
        self._known: set[tuple[type, ...]] = set()

    def check(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return a row whose values are of these types.

        Raises:
            WrongTypeError: one is not; it is named.
        """
        types = tuple(map(type, row))
        if types not in self._known:
            for name, found, allowed in zip(self._names, types, self._allowed, strict=True):
                if found not in allowed:
                    raise WrongTypeError(name)
            self._known.add(types)
        return row
