"""Sketches of rows: enough of each to find those that are nearly the same, and none of its text.

MinHash over runs of five characters (Broder, "On the resemblance and containment of documents",
1997): the share of equal values estimates how much of their runs two texts have in common, to
about 0.04. A row is compared without its passage, and only with rows about as good as the same
passage: "Is the tone positive?" may be asked of every passage once. Rows that name other
numbers share no key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from bonito_local.checks.text import normalize, without_passage
from bonito_local.tasks import Pair

_RUN = 5  # characters
_VALUES = 120
HASHES = 2 * _VALUES  # bytes of a text's hashes
_PASSAGE_VALUES = 2  # of the passage, in each key of a row that holds it
_SEED = 1
_NUMBER = re.compile(r"\d+")
_MISSED = 0.02  # of rows just alike enough: they share no key


@dataclass(frozen=True, slots=True)
class Sketch:
    """A row's hashes: rows that are alike share one of the `keys` and most of `own`.

    `own` is of the row without its passage, `passage` of that; it is empty where the row
    can do without. Each holds 120 values of 16 bits. Rows `least` alike are duplicates.
    """

    own: bytes
    passage: bytes
    keys: tuple[int, ...]
    least: float


def sketch(pair: Pair, passage: str, least: float) -> Sketch:
    """Return the sketch of a row, for finding others at least so much alike."""
    text = passage.strip()
    sides = (without_passage(side, text) for side in (pair.instruction, pair.response))
    said = "\n".join(normalize(side) for side in sides)
    held = text if text and text in pair.instruction + pair.response else ""
    own, about = _hashes(said), _of_passage(held) if held else b""
    # Rows that name other numbers say something else, however alike they are.
    named = " ".join(sorted(set(_NUMBER.findall(f"{said} {held}"))))
    return Sketch(own, about, _keys(own, about, named, least), least)


def likeness(one: Sketch, own: bytes, passage: bytes) -> float:
    """Estimate how alike two rows are, 0 to 1: the lesser of their own texts and passages."""
    if bool(one.passage) != bool(passage):
        return 0.0
    return min(_shared(one.own, own), _shared(one.passage, passage))


def alike(one: Sketch, owns: Sequence[bytes]) -> list[int]:
    """Which of these rows' own texts are as much like this row's, by their places."""
    import numpy as np

    if not owns:
        return []
    held = np.frombuffer(b"".join(owns), np.uint16).reshape(len(owns), -1)
    equal = np.count_nonzero(held == np.frombuffer(one.own, np.uint16), axis=1)
    return [int(at) for at in np.flatnonzero(equal / held.shape[1] >= one.least)]


def _shared(one: bytes, other: bytes) -> float:
    if one == other:
        return 1.0
    import numpy as np

    equal = np.count_nonzero(np.frombuffer(one, np.uint16) == np.frombuffer(other, np.uint16))
    return float(equal / (len(one) // 2))


def _keys(own: bytes, about: bytes, named: str, least: float) -> tuple[int, ...]:
    size, beside = 2 * _in_key(least), 2 * _PASSAGE_VALUES
    keys = []
    for place in range(len(own) // size):
        values = own[place * size :][:size] + b"\0" + about[place * beside :][:beside]
        hashed = blake2b(values + named.encode(), digest_size=8, salt=bytes([place])).digest()
        keys.append(int.from_bytes(hashed, "big", signed=True))
    return tuple(keys)


@lru_cache(maxsize=8)
def _in_key(least: float) -> int:
    """Values of a key: the most with which rows as alike as `least` share one of the keys.

    The more there are, the fewer rows that are less alike share one, and need to be compared.
    """
    for size in range(_VALUES, 1, -1):
        if (1 - least**size) ** (_VALUES // size) <= _MISSED:
            return size
    return 1


@lru_cache(maxsize=256)
def _of_passage(passage: str) -> bytes:
    return _hashes(normalize(passage))


def _hashes(text: str) -> bytes:
    # Not for those who only look at a job.
    import numpy as np
    from rensa import RMinHash

    minhash = RMinHash(num_perm=_VALUES, seed=_SEED)
    minhash.update(list({text[at : at + _RUN] for at in range(max(1, len(text) - _RUN + 1))}))
    return np.array(minhash.digest(), np.uint32).astype(np.uint16).tobytes()
