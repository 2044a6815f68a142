"""Documents to passages, one document at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bonito_local.passages.types import Passage, Problem


def iter_passages(
    paths: Sequence[Path],
    count_tokens: Callable[[str], int],
    max_tokens: int,
    column: str | None = None,
) -> Iterator[Passage | Problem]:
    """Yield the passages of all documents under `paths`, and the problems met on the way.

    Raises:
        UsageError: a path does not exist.
    """
    raise NotImplementedError
