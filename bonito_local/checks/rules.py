"""What makes a parsed row acceptable: small, deterministic checks per task type.

No model is asked, and nothing but the row and its passage is looked at. The checks are in
modules by what they are about; a row's verdict is the first that fails, in the order here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bonito_local.checks.answers import ANSWERS
from bonito_local.checks.candidate import Check, candidate
from bonito_local.checks.common import COMMON
from bonito_local.checks.labels import LABELLED
from bonito_local.checks.standing import STANDING
from bonito_local.checks.text import normalize
from bonito_local.checks.thresholds import Thresholds
from bonito_local.checks.writing import WRITING
from bonito_local.tasks import TASK_TYPES, Pair, TaskType

__all__ = ["CHECKS", "REASONS", "check", "findings", "normalize"]

CHECKS: tuple[Check, ...] = (*COMMON, *LABELLED, *ANSWERS, *STANDING, *WRITING)
REASONS: tuple[str, ...] = tuple(dict.fromkeys(check.reason for check in CHECKS))
_BY_TASK: dict[str, tuple[Check, ...]] = {
    task.short: tuple(c for c in CHECKS if not c.tasks or task.short in c.tasks)
    for task in TASK_TYPES
}
_USUAL = Thresholds()


def check(
    task: TaskType,
    pair: Pair,
    passage: str,
    completion: str,
    thresholds: Thresholds = _USUAL,
    labels: tuple[str, ...] = (),
    place: str = "",
) -> str | None:
    """Return why a row is rejected, or None.

    `completion` is what `pair` was parsed from: markers are looked for there,
    because one that stands in the passage is no fault of the row. `labels` are
    topic_class's, where the user has given any; a task type of the user's own brings its own.
    `place` is where the passage stands in its document: names in it are not foreign to a row.
    """
    return next(findings(task, pair, passage, completion, thresholds, labels, place), None)


def findings(
    task: TaskType,
    pair: Pair,
    passage: str,
    completion: str,
    thresholds: Thresholds = _USUAL,
    labels: tuple[str, ...] = (),
    place: str = "",
) -> Iterator[str]:
    """Yield every reason to reject a row; the first is its verdict."""
    if task.limits:
        thresholds = replace(thresholds, **dict(task.limits))
    labels = task.labels or (labels if task.kind == "topic_class" else ())
    row = candidate(task, pair, passage, completion, thresholds, labels, place)
    for each in _BY_TASK.get(task.kind, COMMON):
        if each.reason not in thresholds.skip and each.fails(row):
            yield each.reason
