"""What a model was made for: its passage length and its task types.

A GGUF may carry `bonito.passage_tokens` (the longest passages it was trained on)
and `bonito.task_types` (short names, as an array or separated by commas).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from bonito_local.backends.base import Backend
from bonito_local.errors import UsageError
from bonito_local.printable import one_line
from bonito_local.tasks import TASK_TYPES, TaskType, format_prompt

_LONGEST = 1024
_LONGEST_LICENCE = 200  # characters
_SHORTEST = 16
# BOS, and tokens that differ where passage and markers meet.
_MARGIN = 8


def metadata(backend: Backend) -> Mapping[str, object]:
    """Return the model file's metadata; empty for an engine that has none."""
    found: Mapping[str, object] = getattr(backend, "metadata", {})
    return found


def passage_tokens(
    backend: Backend, max_tokens: int, wanted: int | None = None, prompts: Iterable[str] = ()
) -> int:
    """Return the most tokens a passage may have to fit with prompt and completion.

    It is `wanted`, or what suits the model. `prompts` are without a passage, where they are
    not Bonito's. The same for every task type: a job that gets
    another keeps its passages.

    Raises:
        UsageError: `max_tokens` leaves no room for a passage, or for one of `wanted`.
    """
    bare = list(prompts) or [format_prompt(task, "") for task in TASK_TYPES]
    head = max(map(backend.count_tokens, bare))
    free = backend.context_length - head - _MARGIN
    room = free - max_tokens
    if room < _SHORTEST:
        raise UsageError(
            f"{max_tokens} completion tokens leave no room for a passage in this model's "
            f"context of {backend.context_length}.",
            f"Ask for {max(1, free // 2)} or less.",
        )
    if wanted is not None:
        if not _SHORTEST <= wanted <= room:
            raise UsageError(
                f"Passages of {wanted} tokens do not fit: this model has room for {_SHORTEST} "
                f"to {room} beside {max_tokens} of a completion.",
                "Change splitting.passage_tokens, or sampling.max_tokens.",
            )
        return wanted
    return min(longest_passage(metadata(backend), backend.context_length), room)


def longest_passage(metadata: Mapping[str, object], context_length: int) -> int:
    """Return the most tokens of a passage that suit a model, by its file's metadata."""
    trained = str(metadata.get("bonito.passage_tokens", ""))
    # A file's metadata may be anything: what is no usable length is passed over.
    usable = len(trained) < 10 and trained.isdecimal() and int(trained) >= _SHORTEST
    return int(trained) if usable else min(_LONGEST, context_length // 2)


def untrained_tasks(backend: Backend, tasks: Iterable[TaskType]) -> list[TaskType]:
    """Return the tasks that the model's metadata does not name; none where it names none."""
    trained = metadata(backend).get("bonito.task_types")
    if not trained:
        return []
    names = set(re.findall(r"\w+", str(trained)))
    return [task for task in tasks if task.short not in names]


def origin(backend: Backend) -> dict[str, str]:
    """Return `quantization` (Q4_K_M, ...) and `license`, as far as the model's metadata says."""
    found = metadata(backend)
    # Anyone writes a file's metadata, and this goes into a dataset's card.
    told = {"license": one_line(str(found.get("general.license", "")))[:_LONGEST_LICENCE]}
    kind = str(found.get("general.file_type", ""))
    if kind.isdecimal():
        from gguf import LlamaFileType

        with suppress(ValueError):
            told["quantization"] = LlamaFileType(int(kind)).name.split("_", 1)[1]
    return {name: value for name, value in told.items() if value}
