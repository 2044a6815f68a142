"""How likely a GGUF model finds a text: log-probabilities of its tokens after a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Framed
from bonito_local.backends.likelihood import Likelihood, Question, begins
from bonito_local.backends.llamacpp.bindings import Batch, Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.model import Tokens
from bonito_local.errors import BackendError

_STEP = 512  # tokens computed together
_PAD = 256
_TOGETHER = 8  # answers to a prompt that are computed together


class Scorer:
    """Scores texts with an engine's model, in a context of its own.

    What a prompt has in common with the one before it is not computed again, and the answers
    to one prompt are computed together, on one KV cache of it.
    """

    def __init__(self, engine: LlamaCpp) -> None:
        self._model = engine._model
        self._limit = engine.context_length
        self._threads = engine.settings.threads, engine.settings.prefill_threads
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
            self._fit(len(tokens))
            total = sum(
                self._log(row, int(tokens[position + 1]))
                for row, position in self._compute(tokens, start - 1)
            )
            yield Likelihood(total, len(tokens) - start)

    def answers(self, questions: Iterable[Question]) -> Iterator[tuple[float, ...] | None]:
        """Yield each question's answers' log-probabilities, in order; None if it does not fit.

        Raises:
            BackendError: the engine failed.
        """
        for question in questions:
            prompt = self._model.prompt(Framed("", question.prompt, ""))
            answers = [self._answer(text, question.ends) for text in question.answers]
            longest = max(map(len, answers), default=0)
            if not len(prompt) or len(prompt) + longest > self._limit:
                yield None
                continue
            self._fit(len(prompt) + _TOGETHER * longest)
            # The prompt and one token beyond, which is only there to be predicted.
            ((row, _),) = self._compute(np.append(prompt, prompt[-1:]), len(prompt) - 1)
            found = [self._log(row, int(tokens[0])) if len(tokens) else 0.0 for tokens in answers]
            for first in range(0, len(answers), _TOGETHER):
                for nth, log in self._rest(len(prompt), answers[first : first + _TOGETHER]):
                    found[first + nth] += log
            yield tuple(found)

    def tokens(self, text: str) -> Tokens:
        """Tokens of a text, BOS first where the model's metadata asks for one."""
        return self._model.prompt(text)

    def log_probs(self, tokens: Tokens) -> npt.NDArray[np.float32]:
        """The next token's log-probabilities after each token: [tokens, vocabulary].

        Raises:
            BackendError: the engine failed.
        """
        found = np.empty((len(tokens), self._model.vocabulary_size), np.float32)
        self._fit(len(tokens))
        # And one token beyond, which is only there to be predicted.
        for row, position in self._compute(np.append(tokens, tokens[-1:]), 0):
            found[position] = self._logs(row)
        return found

    def _answer(self, text: str, ends: bool) -> Tokens:
        tokens = self._model.tokenize(text)
        return np.append(tokens, np.int32(self._model.eos)) if ends else tokens

    def _tokens(self, prompt: str, text: str) -> tuple[Tokens, int]:
        """Tokens of both together, and where the second begins."""
        alone = self._model.prompt(prompt)
        if isinstance(prompt, Framed):
            return np.concatenate([alone, self._model.tokenize(text)]), len(alone)
        whole = self._model.prompt(prompt + text)
        return whole, begins(alone.tolist(), whole.tolist())

    def _compute(self, tokens: Tokens, first: int) -> Iterator[tuple[int, int]]:
        """Compute all but the last token, which predicts nothing that is asked.

        Yields the batch's row and the position of every token from `first` on; a row's logits
        are there until the next is asked for.
        """
        shared = min(len(self._held), len(tokens) - 1, first)
        other = np.flatnonzero(self._held[:shared] != tokens[:shared])
        at = int(other[0]) if len(other) else shared
        lib.llama_memory_seq_rm(self._memory, 0, at, -1)
        self._held = tokens[:at]
        while at < len(tokens) - 1:
            count = min(_STEP, len(tokens) - 1 - at)
            batch = self._batch
            batch.tokens[:count] = tokens[at : at + count]
            batch.positions[:count] = np.arange(at, at + count)
            batch.sequences[:count] = 0
            batch.outputs[:count] = np.arange(at, at + count) >= first
            self._decode(count)
            yield from ((row, at + row) for row in range(count) if at + row >= first)
            at += count
        self._held = tokens[: len(tokens) - 1]

    def _rest(self, length: int, answers: list[Tokens]) -> Iterator[tuple[int, float]]:
        """What an answer's tokens behind its first add to its log-probability, by its number."""
        rows = [(nth, at) for nth, tokens in enumerate(answers) for at in range(len(tokens) - 1)]
        if not rows:
            return
        for nth in range(len(answers)):
            lib.llama_memory_seq_cp(self._memory, 0, nth + 1, -1, -1)
        for begin in range(0, len(rows), _STEP):
            part, batch = rows[begin : begin + _STEP], self._batch
            for row, (nth, at) in enumerate(part):
                batch.tokens[row] = answers[nth][at]
                batch.positions[row] = length + at
                batch.sequences[row] = nth + 1
            batch.outputs[: len(part)] = 1
            self._decode(len(part))
            for row, (nth, at) in enumerate(part):
                yield nth, self._log(row, int(answers[nth][at + 1]))
        for nth in range(len(answers)):
            lib.llama_memory_seq_rm(self._memory, nth + 1, -1, -1)

    def _decode(self, count: int) -> None:
        if self._batch.decode(self._context, count) != 0:
            lib.llama_memory_clear(self._memory, False)
            self._held = self._held[:0]
            raise BackendError("llama.cpp failed while scoring.", "Run the same again.")

    def _log(self, row: int, token: int) -> float:
        return float(self._logs(row)[token])

    def _logs(self, row: int) -> npt.NDArray[np.float64]:
        pointer = lib.llama_get_logits_ith(self._context, row)
        logits = np.ctypeslib.as_array(pointer, (self._model.vocabulary_size,)).astype(np.float64)
        logits -= logits.max()
        shifted: npt.NDArray[np.float64] = logits - np.log(np.exp(logits).sum())
        return shifted

    def _fit(self, need: int) -> None:
        if need <= self._room:
            return
        self.close()
        self._held = self._held[:0]
        room = -(-need // _PAD) * _PAD
        params = lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = room, 1 + _TOGETHER
        # One buffer for all sequences: answers share the cells of their prompt.
        params.kv_unified = True
        params.n_batch = params.n_ubatch = _STEP
        params.n_threads, params.n_threads_batch = self._threads
        forget_errors()
        self._context = lib.llama_init_from_model(self._model.handle, params) or None
        if self._context is None:
            raise BackendError(
                f"A context of {room:,} tokens cannot be allocated: {first_error()}.",
                "Close other programs, or use a smaller model.",
            )
        self._memory = lib.llama_get_memory(self._context)
        self._room = room
