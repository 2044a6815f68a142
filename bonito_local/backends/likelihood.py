"""How likely a model finds a text: what engines that can tell give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Sum of the natural logarithms of a text's token probabilities, and their number."""

    total: float
    tokens: int

    @property
    def mean(self) -> float:
        """Per token; 0 for a text without tokens."""
        return self.total / self.tokens if self.tokens else 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt (without BOS) and texts of which each may follow it; with `ends`, EOS after each.

    Prompt and answers are tokenized apart, as the paper's trainer and ours do it.
    """

    prompt: str
    answers: tuple[str, ...]
    ends: bool = False


class Scorer(Protocol):
    """Scores texts with the model of an open engine; closed before the engine is."""

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        """Yield how likely each second text is after the first; None where they do not fit.

        Raises:
            BackendError: the engine failed.
        """

    def answers(self, questions: Iterable[Question]) -> Iterator[tuple[float, ...] | None]:
        """Yield each question's answers' log-probabilities, in order; None if it does not fit.

        The natural logarithm of an answer's probability after its prompt: a sum over its tokens.

        Raises:
            BackendError: the engine failed.
        """

    def close(self) -> None:
        """Free what it holds beside the engine."""


def begins(alone: Sequence[int], whole: Sequence[int]) -> int:
    """Where a text begins in the tokens of prompt and text together.

    `alone` are the prompt's own. A token may hold the end of the one and the beginning of the
    other: it is the text's.
    """
    shared = min(len(alone), len(whole))
    return next((at for at in range(shared) if alone[at] != whole[at]), shared)
