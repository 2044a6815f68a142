"""What a choice of files and folders holds, counted without reading any document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local.passages.discover import find_documents
from bonito_local.passages.types import Problem


@dataclass(frozen=True, slots=True)
class Survey:
    """Documents by kind, their sizes, and what is left out; `whole` unless it was cut short."""

    kinds: tuple[tuple[str, int], ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    files: int = 0
    bytes: int = 0
    problems: tuple[Problem, ...] = ()
    whole: bool = True


def survey(paths: Sequence[Path], stop: Callable[[], bool] = lambda: False) -> Survey:
    """Count the documents of a choice; what was counted until `stop()` turned true.

    Raises:
        UsageError: a path does not exist.
    """
    kinds: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    problems = list[Problem]()
    found = Survey()
    for document in find_documents(paths):
        if stop():
            found = replace(found, whole=False)
            break
        if isinstance(document, Problem):
            problems.append(document)
            continue
        kind = document.kind.removeprefix(".")
        kinds[kind] += 1
        try:
            sizes[kind] += document.path.stat().st_size
        except OSError:
            continue  # Reading it says why.
    return replace(
        found,
        kinds=tuple(kinds.most_common()),
        sizes=tuple(sizes.items()),
        files=kinds.total(),
        bytes=sizes.total(),
        problems=tuple(problems),
    )
