"""What a writer is: how a model is asked for a row, and how what it wrote becomes one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bonito_local.backends.base import Completion, Lines
from bonito_local.backends.likelihood import Likelihood
from bonito_local.passages.sentences import Sentence
from bonito_local.tasks import TaskType


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one sample is to be about.

    Attributes:
        heading: where the passage stands in its document; empty where that says nothing.
        sample: its number among the `of` samples of this passage and task type.
        turn: the task type's place among those of the job.
        attempt: how often it was written before.
    """

    task: TaskType
    passage: str
    heading: str = ""
    sample: int = 0
    of: int = 1
    turn: int = 0
    attempt: int = 0

    @property
    def number(self) -> int:
        """The same for the same passage, whatever else is in the job."""
        digest = hashlib.sha256(self.passage.strip().encode("utf-8", "replace")).digest()
        return int.from_bytes(digest[:4])


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt, without BOS, and what its completion must look like.

    Attributes:
        shape: held to while decoding, where the engine can.
        stop: texts that end the completion.
        greedy: the likeliest completion is asked for, not one that is drawn.
        reasons: the completion is a line of reasoning, then one with the answer.
    """

    prompt: str
    shape: Lines | None = None
    stop: tuple[str, ...] = ()
    greedy: bool = False
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a row says of its passage: an answer to a question, or that a statement is true.

    Attributes:
        kind: "question", "yes-no" or "statement".
        text: the question or the statement.
        sure: the row was made so that its label is right.
    """

    kind: str
    text: str
    answer: str
    sure: bool = False


class Writer(Protocol):
    """How a job asks its model."""

    def shared(self, task: TaskType) -> bool:
        """Whether all samples of a passage and this task type are asked by one prompt."""

    def unfit(self, assignment: Assignment) -> str | None:
        """Return why no row can come of a passage, before it is asked for; None where one may."""

    def ask(self, assignment: Assignment) -> Ask:
        """Return how to ask for a row."""

    def written(self, assignment: Assignment, done: Completion) -> Completion:
        """Return a completion in Bonito's form, or as it is where it has none."""

    def evidence(self, assignment: Assignment) -> Sentence | None:
        """Return the sentence that the row is about; None where the model chooses."""

    def fault(self, assignment: Assignment, done: Completion) -> str | None:
        """Return why a row cannot be right, by what it was to be; None where nothing tells."""

    def telling(self, assignment: Assignment, done: Completion) -> list[tuple[str, str]]:
        """Return beginnings, and what follows them, whose likelihood tells whether a row is right.

        Empty where nothing tells.
        """

    def unlikely(self, found: Sequence[Likelihood]) -> str | None:
        """Return why a row cannot be right, by the likelihood of what `telling` returned."""

    def claim(self, assignment: Assignment, done: Completion) -> Claim | None:
        """Return what a row says of its passage; None where that cannot be asked again."""

    def reread(self, assignment: Assignment, claim: Claim, *, plainly: bool = False) -> Ask | None:
        """Return how to ask this model for a claim's answer; None where it cannot be asked.

        `plainly` asks for no reasoning, though the job may.
        """

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """Return what to ask for the response to an instruction.

        `{{context}}` in it stands for the passage.
        """
