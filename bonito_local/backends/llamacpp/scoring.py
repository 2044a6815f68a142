"""How likely a GGUF model finds a text: log-probabilities of its tokens after a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Framed
from bonito_local.backends.likelihood import Likelihood, begins
from bonito_local.backends.llamacpp.bindings import Batch, Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.model import Tokens
from bonito_local.errors import BackendError

_STEP = 512  # tokens computed together
_PAD = 256


class Scorer:
    """Scores texts with an engine's model, one at a time, in a context of its own.

    What a prompt has in common with the one before it is not computed again.
    """

    def __init__(self, engine: LlamaCpp) -> None:
        self._model = engine._model
        self._limit = engine.context_length
        self._context: Handle | None = None
        self._room = 0
        self._batch = Batch(_STEP)
        self._held = np.empty(0, np.int32)

    def close(self) -> None:
        """Free the context."""
        if self._context is not None:
            lib.llama_free(self._context)
        self._context, self._room = None, 0

    def score(self, texts: Iterable[tuple[str, str]]) -> Iterator[Likelihood | None]:
        """Yield how likely each second text is after the first; None where they do not fit.

        Raises:
            BackendError: the engine failed.
        """
        for prompt, text in texts:
            tokens, start = self._tokens(prompt, text)
            if len(tokens) > self._limit or not start:
                yield None
                continue
            yield Likelihood(float(self._logs(tokens, start).sum()), len(tokens) - start)

    def _tokens(self, prompt: str, text: str) -> tuple[Tokens, int]:
        """Tokens of both together, and where the second begins."""
        alone = self._model.prompt(prompt)
        if isinstance(prompt, Framed):
            return np.concatenate([alone, self._model.tokenize(text)]), len(alone)
        whole = self._model.prompt(prompt + text)
        return whole, begins(alone.tolist(), whole.tolist())

    def _logs(self, tokens: Tokens, start: int) -> npt.NDArray[np.float64]:
        """Log-probabilities of `tokens[start:]`, each after those before it."""
        self._fit(len(tokens))
        shared = min(len(self._held), len(tokens), start - 1)
        other = np.flatnonzero(self._held[:shared] != tokens[:shared])
        at = int(other[0]) if len(other) else shared
        lib.llama_memory_seq_rm(lib.llama_get_memory(self._context), 0, at, -1)
        self._held = tokens[:at]
        found = np.empty(len(tokens) - start)
        # The last token predicts nothing that is asked.
        while at < len(tokens) - 1:
            count = min(_STEP, len(tokens) - 1 - at)
            batch = self._batch
            batch.tokens[:count] = tokens[at : at + count]
            batch.positions[:count] = np.arange(at, at + count)
            batch.sequences[:count] = 0
            batch.outputs[:count] = np.arange(at, at + count) >= start - 1
            if batch.decode(self._context, count) != 0:
                self._held = self._held[:0]
                raise BackendError("llama.cpp failed while scoring.", "Run the same again.")
            for row in range(count):
                if batch.outputs[row]:
                    nth = at + row + 1
                    found[nth - start] = self._log(row, int(tokens[nth]))
            at += count
        self._held = tokens[: len(tokens) - 1]
        return found

    def _log(self, row: int, token: int) -> float:
        pointer = lib.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, (self._model.vocabulary_size,)).astype(np.float64)
        top = logits.max()
        return float(logits[token] - top - np.log(np.exp(logits - top).sum()))

    def _fit(self, need: int) -> None:
        if need <= self._room:
            return
        self.close()
        self._held = self._held[:0]
        room = min(-(-need // _PAD) * _PAD, -(-self._limit // _PAD) * _PAD)
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = room, 1
        params.n_batch = params.n_ubatch = _STEP
        forget_errors()
        self._context = lib.llama_init_from_model(self._model.handle, params) or None
        if self._context is None:
            raise BackendError(
                f"A context of {room:,} tokens cannot be allocated: {first_error()}.",
                "Close other programs, or use a smaller model.",
            )
        self._room = room
