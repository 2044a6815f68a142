"""The llama.cpp backend: many sequences decoded together in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bonito_local.backends.base import Completion, Request
from bonito_local.backends.exclusive import Exclusive
from bonito_local.backends.likelihood import Scorer
from bonito_local.backends.llamacpp.context import Context, cell_bytes
from bonito_local.backends.llamacpp.generation import Generation, Stats
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BackendError

_LEAST_CELLS = 512


class LlamaCpp:
    """Runs a GGUF model on llama.cpp with continuous batching.

    The KV cache is sized by what is asked: as many sequences as `n_seq` and `n_ctx`, the most
    tokens that all of them may hold, allow for the longest request so far. `context_length`,
    the most one sequence may hold, is the model's trained context, or `n_ctx` if smaller.
    With `n_seq` 1 the same requests give the same completions bit for bit; with more,
    rounding depends on what is decoded together, and a near-tie may fall either way.

    Attributes:
        metadata: the file's GGUF keys and values, as text.
        settings: what it runs with.
        stats: tokens and seconds so far.
    """

    name = "llamacpp"

    def __init__(
        self, path: Path, settings: Settings | None = None, *, n_ctx: int | None = None
    ) -> None:
        """Load a model; without settings or `n_ctx`, with what is safe on this machine.

        Raises:
            ModelError: the file is missing, broken, cannot generate, or is too large.
            BackendError: a setting is out of range, or `n_ctx` does not fit in memory.
        """
        self.settings = settings = settings or Settings()
        self._model = Model(path, repack=settings.repack, gpu_layers=settings.gpu_layers)
        self.metadata = self._model.metadata
        self.stats = Stats()
        self._exclusive = Exclusive()
        try:
            n_cells = _cells(self._model, settings) if n_ctx is None else n_ctx
            self._context = Context(self._model, settings, n_cells)
        except BackendError:
            self._model.close()
            raise

    @property
    def context_length(self) -> int:
        """Most tokens (BOS, prompt and completion) one sequence may hold."""
        return self._context.limit

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return len(self._model.tokenize(text))

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion as it finishes.

        Requests are pulled as sequences get free, at most `n_seq` ahead. `completion_tokens`
        counts the end-of-text token. A completion that reaches the context's end finishes
        with "length".

        Raises:
            BackendError: the engine failed, is closed or is generating already, or the KV
                cache cannot be allocated.
        """
        if self._model.handle is None:
            raise BackendError("The engine is closed.", "Open the model again.")
        with self._exclusive:
            yield from Generation(self._context, self.stats, requests).run()

    def scorer(self) -> Scorer:
        """Open what tells how likely the model finds a text, also while rows are generated.

        Close it before the engine.
        """
        from bonito_local.backends.llamacpp import scoring

        return scoring.Scorer(self)

    def close(self) -> None:
        """Free the model's memory."""
        self._context.close()
        self._model.close()


def _cells(model: Model, settings: Settings) -> int:
    """KV cells for `n_seq` full contexts, within half of the free memory."""
    affordable = available_memory() // 2 // cell_bytes(model, settings)
    return max(_LEAST_CELLS, min(settings.n_seq * model.context_length, affordable))
