"""The shape that each task type's rows have when drawing is guided."""

from __future__ import annotations

from bonito_local.backends.base import Shape
from bonito_local.errors import UsageError
from bonito_local.tasks import PIPE, TaskType, defuse

_YES_NO = ("yes", "no", "Yes", "No")
# What P3's templates of natural language inference ask for (the label sets of its `anli`).
_INFERENCE = (
    *("entailment", "neutral", "contradiction", "Entailment", "Neutral", "Contradiction"),
    *("yes", "no", "maybe", "Yes", "No", "Maybe"),
    *("True", "False", "Inconclusive", "Neither", "Correct", "Incorrect"),
    *("Always", "Sometimes", "Never", "Guaranteed", "Possible", "Impossible"),
)


def shape_of(task: TaskType, passage: str, labels: tuple[str, ...] = ()) -> Shape:
    """What a guided completion of this task type about this passage must look like."""
    if task.kind == "exqa":
        return Shape(PIPE, span_of=defuse(passage.strip()))
    if task.kind == "ynqa":
        return Shape(PIPE, _YES_NO)
    if task.kind == "nli":
        return Shape(PIPE, _INFERENCE)
    return Shape(PIPE, task.labels or (labels if task.kind == "topic_class" else ()))


def check_labels(tasks: tuple[TaskType, ...], labels: tuple[str, ...]) -> None:
    """Raise UsageError for labels that would do nothing, or cannot be a label set."""
    if not labels:
        return
    if all(task.short != "topic_class" for task in tasks):
        raise UsageError(
            "Labels are for topic classification.",
            "Add the task topic_class, or leave --labels out.",
        )
    if len(set(labels)) < 2 or any(PIPE in label for label in labels):
        raise UsageError("The labels are not a label set.", "Give two or more, without markers.")
