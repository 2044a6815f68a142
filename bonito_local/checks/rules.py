"""What makes a parsed row acceptable: small, deterministic rules per task type."""

from __future__ import annotations

import unicodedata

from bonito_local.tasks import MARKERS, PIPE, Pair, TaskType, defuse

_LEAKS = tuple(marker for marker in MARKERS if marker != PIPE)


def check(task: TaskType, pair: Pair, passage: str, completion: str) -> str | None:
    """Return why a row is rejected, or None.

    `completion` is what `pair` was parsed from: markers are looked for there,
    because one that stands in the passage is no fault of the row.
    """
    if not pair.instruction:
        return "empty instruction"
    if not pair.response:
        return "empty response"
    if any(marker in completion for marker in _LEAKS):
        return "leaked marker"
    if pair.instruction == passage.strip():
        return "instruction is only the passage"
    if task.short == "ynqa" and normalize(pair.response).strip(" .!") not in ("yes", "no"):
        return "response is not yes or no"
    if task.short == "exqa" and not _stands_in(pair.response, passage):
        return "response is not in the passage"
    return None


def normalize(text: str) -> str:
    """Fold case, compatibility forms and runs of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _stands_in(response: str, passage: str) -> bool:
    # The model saw the passage with its markers broken up, and may copy it so.
    wanted = normalize(response)
    return wanted in normalize(passage) or wanted in normalize(defuse(passage))
