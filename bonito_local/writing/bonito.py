"""Bonito's own prompt: instruction and response come as its model writes them."""

from __future__ import annotations

from collections.abc import Sequence

from bonito_local.backends.base import Completion
from bonito_local.backends.likelihood import Likelihood
from bonito_local.passages.sentences import Sentence
from bonito_local.tasks import PIPE, TaskType, format_prompt
from bonito_local.writing.claims import claim_of_row
from bonito_local.writing.writer import Ask, Assignment, Claim


class BonitoWriter:
    """Asks a model that was trained on Bonito's format."""

    def shared(self, task: TaskType) -> bool:
        """All samples of a passage and task type have one prompt."""
        return True

    def unfit(self, assignment: Assignment) -> str | None:
        """Return None: the model chooses what to write about."""
        return None

    def ask(self, assignment: Assignment) -> Ask:
        """Return what Bonito was trained on; the name of an own task type stands for the 16."""
        return Ask(format_prompt(assignment.task, assignment.passage))

    def written(self, assignment: Assignment, done: Completion) -> Completion:
        """Return it as it is."""
        return done

    def evidence(self, assignment: Assignment) -> Sentence | None:
        """Return None: the model chooses what to write about."""
        return None

    def fault(self, assignment: Assignment, done: Completion) -> str | None:
        """Return None: nothing but the task type was asked for."""
        return None

    def telling(self, assignment: Assignment, done: Completion) -> list[tuple[str, str]]:
        """Return nothing: it was not measured whether its model knows."""
        return []

    def unlikely(self, found: Sequence[Likelihood]) -> str | None:
        """Return None."""
        return None

    def claim(self, assignment: Assignment, done: Completion) -> Claim | None:
        """Return the question of the instruction and its response."""
        return claim_of_row(assignment.task, assignment.passage, done.text)

    def reread(self, assignment: Assignment, claim: Claim, *, plainly: bool = False) -> Ask | None:
        """Return None: it writes rows, and was not trained to answer a question alone."""
        return None

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """Return the prompt, and the instruction as if the model had written it."""
        return f"{format_prompt(task, passage)}{instruction}{PIPE}\n"
