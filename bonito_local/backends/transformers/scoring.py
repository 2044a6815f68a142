"""How likely a checkpoint finds a text: log-probabilities of its tokens after a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from bonito_local.backends.base import Framed
from bonito_local.backends.likelihood import Likelihood, begins
from bonito_local.backends.transformers.engine import Transformers
from bonito_local.errors import BackendError


class Scorer:
    """Scores texts with an engine's model, one at a time."""

    def __init__(self, engine: Transformers) -> None:
        self._engine = engine

    def close(self) -> None:
        """Nothing is held beside the engine."""

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        """Yield how likely each second text is after the first; None where they do not fit.

        Raises:
            BackendError: the GPU's memory ran out.
        """
        for prompt, text in texts:
            tokens, start = self._tokens(prompt, text)
            if len(tokens) > self._engine.context_length or not start:
                yield None
            elif start == len(tokens):
                yield Likelihood(0.0, 0)
            else:
                yield self._likelihood(tokens, start)

    def _tokens(self, prompt: str, text: str) -> tuple[list[int], int]:
        """Tokens of both together, and where the second begins."""
        texts = self._engine._texts
        alone = texts.encode(prompt)
        if isinstance(prompt, Framed):
            return [*alone, *texts.tokens(text)], len(alone)
        whole = texts.encode(prompt + text)
        return whole, begins(alone, whole)

    @torch.inference_mode()
    def _likelihood(self, tokens: list[int], start: int) -> Likelihood:
        engine, wanted = self._engine, tokens[start:]
        # The last token predicts nothing that is asked.
        ids = torch.tensor([tokens[:-1]], device=engine.device)
        try:
            found = engine._model(input_ids=ids, use_cache=False, logits_to_keep=len(wanted))
        except torch.OutOfMemoryError as error:
            raise BackendError(
                "The GPU's memory ran out while scoring.",
                "Use --quantization nf4, or a smaller model.",
            ) from error
        logs = found.logits[0].float().log_softmax(-1)
        picked = logs.gather(-1, torch.tensor(wanted, device=engine.device)[:, None])
        return Likelihood(float(picked.double().sum()), len(wanted))
