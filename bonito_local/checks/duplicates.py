"""When two rows of a job are the same."""

from __future__ import annotations

from hashlib import blake2b

from bonito_local.checks.rules import normalize
from bonito_local.tasks import Pair


def pair_digest(pair: Pair) -> bytes:
    """Return 16 bytes that are equal for rows with the same normalized text."""
    key = f"{normalize(pair.instruction)}\0{normalize(pair.response)}"
    return blake2b(key.encode("utf-8", "backslashreplace"), digest_size=16).digest()
