"""Which answer a label is, so that a dataset can hold as many of each."""

from __future__ import annotations

from bonito_local.checks.labels import label_of
from bonito_local.tasks import TaskType

_KINDS = ("ynqa", "nli", "te", "sentiment", "paraphrase_id")
# What templates call the same answer differently: yes, no, and neither.
_SAME = {
    **dict.fromkeys(
        "yes true correct entailment always guaranteed equivalent duplicates paraphrase positive "
        "good great happy".split(),
        "yes",
    ),
    **dict.fromkeys(
        "no false incorrect contradiction never impossible negative bad terrible unhappy".split(),
        "no",
    ),
    **dict.fromkeys(
        ("not entailment", "not equivalent", "not duplicates", "not paraphrase"),
        "no",
    ),
    **dict.fromkeys(
        "maybe neutral inconclusive neither sometimes possible mixed okay".split(), "neither"
    ),
}


def answer_of(task: TaskType, response: str, labels: tuple[str, ...] = ()) -> str:
    """Return which of a task type's answers a response is; "" where it has no such set.

    `labels` are topic_class's, where the user has given any.
    """
    label = label_of(response)
    if task.labels or (task.kind == "topic_class" and labels):
        return label
    return _SAME.get(label, "") if task.kind in _KINDS else ""
