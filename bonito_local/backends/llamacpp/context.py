"""A llama.cpp context: the KV cache shared by all sequences, and its settings."""

from __future__ import annotations

from bonito_local.backends.llamacpp.bindings import Handle, forget_messages, last_errors, lib
from bonito_local.backends.llamacpp.model import Model
from bonito_local.errors import BackendError

_BATCH = 512
_MOST_CELLS = 2**30


class Context:
    """Room for `n_seq` sequences, of `n_ctx` tokens together, in one unified KV cache.

    Attributes:
        limit: the most tokens (BOS, prompt and completion) of one sequence.
        n_batch: the most tokens of one step.
    """

    def __init__(self, model: Model, *, n_seq: int, n_ctx: int, threads: int) -> None:
        """Allocate the cache.

        Raises:
            BackendError: memory does not suffice, or a setting is out of range.
        """
        most = int(lib.llama_max_parallel_sequences())
        if not 1 <= n_seq <= most:
            raise BackendError(f"{n_seq} sequences cannot be decoded.", f"Use 1 to {most}.")
        if not 2 * n_seq <= n_ctx <= _MOST_CELLS:
            raise BackendError(
                f"A context of {n_ctx} tokens cannot serve {n_seq} sequences.",
                f"Use {2 * n_seq} to {_MOST_CELLS} tokens.",
            )
        self.model = model
        self.n_seq = n_seq
        params = lib.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_seq_max = n_seq
        params.n_batch = params.n_ubatch = max(_BATCH, 2 * n_seq)
        params.n_outputs_max = n_seq
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True
        forget_messages()
        handle = lib.llama_init_from_model(model.handle, params)
        if not handle:
            need = n_ctx * model.kv_bytes / 2**30
            raise BackendError(
                f"llama.cpp cannot allocate a context of {n_ctx:,} tokens "
                f"({need:.1f} GiB): {last_errors() or 'no reason given'}.",
                "Use a smaller context or fewer sequences.",
            )
        self.handle: Handle | None = handle
        self.n_ctx = int(lib.llama_n_ctx(handle))
        # llama.cpp makes it smaller for a small context.
        self.n_batch = int(lib.llama_n_batch(handle))
        self.limit = min(self.n_ctx, model.context_length)
        self._memory = lib.llama_get_memory(handle)

    def copy(self, source: int, target: int, length: int) -> None:
        """Let sequence `target` share the first `length` cells of `source`."""
        lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def remove(self, sequence: int, start: int = 0) -> None:
        """Free a sequence's cells from position `start` on."""
        lib.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def clear(self) -> None:
        """Free all cells."""
        lib.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free the cache."""
        if self.handle is not None:
            lib.llama_free(self.handle)
            self.handle = None
