"""How likely a model finds a text, by vLLM: the log-probabilities of prompts that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from bonito_local.backends.likelihood import Likelihood, Question
from bonito_local.backends.vllm.engine import VLLM

_TOGETHER = 256  # questions that are with the engine at once


class Scorer:
    """Scores texts with an open engine's model."""

    def __init__(self, engine: VLLM) -> None:
        self._engine = engine

    def close(self) -> None:
        """Nothing is held beside the engine."""

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        """Yield how likely each second text is after the first; None where they do not fit.

        Raises:
            BackendError: the engine failed.
        """
        pulled = iter(texts)
        while window := [self._engine.texts.joined(*pair) for pair in islice(pulled, _TOGETHER)]:
            asked = [(tokens, start) for tokens, start in window if self._fits(tokens, start)]
            logs = iter(self._engine.likelihoods(asked))
            for tokens, start in window:
                fits = self._fits(tokens, start)
                yield Likelihood(next(logs), len(tokens) - start) if fits else None

    def _fits(self, tokens: list[int], start: int) -> bool:
        return bool(start) and len(tokens) < self._engine.context_length  # it draws one token

    def answers(self, questions: Iterable[Question]) -> Iterator[tuple[float, ...] | None]:
        """Yield each question's answers' log-probabilities, in order; None if it does not fit.

        Raises:
            BackendError: the engine failed.
        """
        pulled = iter(questions)
        while window := list(islice(pulled, _TOGETHER)):
            yield from self._score(window)

    def _score(self, window: list[Question]) -> Iterator[tuple[float, ...] | None]:
        texts = self._engine.texts
        asked: list[tuple[list[int], int]] = []
        counts: list[int] = []
        for question in window:
            prompt = texts.encode(question.prompt)
            whole = [prompt + texts.answer(text, question.ends) for text in question.answers]
            fits = all(self._fits(tokens, len(prompt)) for tokens in whole)
            asked += [(tokens, len(prompt)) for tokens in whole] if fits else []
            counts.append(len(whole) if fits else -1)
        logs = iter(self._engine.likelihoods(asked))
        for count in counts:
            yield None if count < 0 else tuple(islice(logs, count))
