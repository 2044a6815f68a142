"""A parsed row before it is one, and what a check of it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bonito_local.checks.text import without_passage
from bonito_local.checks.thresholds import Thresholds
from bonito_local.tasks import PIPE, Pair, TaskType


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the checks look at.

    `asked` and `said` are the instruction and the response as the model wrote them, without
    the passage. `labels` are the user's own, where there are any; `place` is where the passage
    stands in its document.
    """

    task: TaskType
    instruction: str
    response: str
    passage: str
    completion: str
    asked: str
    said: str
    thresholds: Thresholds
    labels: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that makes a row unacceptable.

    Attributes:
        reason: what the ledger says of rows that fail.
        tasks: short names of the task types it is for; empty for all.
        fails: whether a row fails.
    """

    reason: str
    tasks: tuple[str, ...]
    fails: Callable[[Candidate], bool]


def candidate(
    task: TaskType,
    pair: Pair,
    passage: str,
    completion: str,
    thresholds: Thresholds,
    labels: tuple[str, ...],
    place: str = "",
) -> Candidate:
    """Put together what the checks need of a row."""
    sides = completion.split(PIPE)
    asked, said = sides if len(sides) == 2 else (pair.instruction, pair.response)
    return Candidate(
        task,
        pair.instruction,
        pair.response,
        passage,
        completion,
        without_passage(asked, passage),
        without_passage(said, passage),
        thresholds,
        labels,
        place,
    )
