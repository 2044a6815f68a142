"""What a model is asked: a passage, a question about it, and what is right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """One example of an evaluation set.

    `label` is the right one of the set's labels; where answers are spans of the passage it is
    empty, and `answers` holds what people marked, the first annotator's first.
    """

    id: str
    passage: str
    question: str
    label: str = ""
    answers: tuple[str, ...] = ()
