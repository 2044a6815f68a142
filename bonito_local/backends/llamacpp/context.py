"""A llama.cpp context: the KV cache shared by all sequences, and its settings."""

from __future__ import annotations

from bonito_local.backends.llamacpp.bindings import Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.llamacpp.model import Model
from bonito_local.errors import BackendError

_BATCH = 512
# On CPUs llama.cpp computes attention in tiles of 64 rows: fast for rows of one sequence; for
# a row each of many sequences, every row against every cell. Below 64 it goes row by row.
_ROWS = 63
_CELL_BYTES = 64  # of bookkeeping


class Context:
    """Room for `n_seq` sequences, of `n_ctx` tokens together, in one unified KV cache.

    Attributes:
        limit: the most tokens (BOS, prompt and completion) of one sequence.
        n_batch: the most tokens of one batch of prefixes.
        n_rows: the most sequences to draw for in one batch.
    """

    def __init__(self, model: Model, *, n_seq: int, n_ctx: int, threads: int) -> None:
        """Allocate the cache.

        Raises:
            BackendError: memory does not suffice, or a setting is out of range.
        """
        most = int(lib.llama_max_parallel_sequences())
        if not 1 <= n_seq <= most:
            raise BackendError(f"{n_seq} sequences cannot be decoded.", f"Use 1 to {most}.")
        if n_ctx < 2 * n_seq:
            raise BackendError(
                f"A context of {n_ctx} tokens cannot serve {n_seq} sequences.",
                f"Use at least {2 * n_seq} tokens.",
            )
        # Asked first: where memory is overcommitted, too much of it is a killed process.
        need = n_ctx * (model.kv_bytes + _CELL_BYTES)
        if need > available_memory():
            raise _too_large(n_ctx, need, "memory is short")
        self.model = model
        self.n_seq = n_seq
        self.n_rows = min(n_seq, _ROWS)
        params = lib.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_seq_max = n_seq
        params.n_batch = params.n_ubatch = _BATCH
        params.n_outputs_max = self.n_rows
        params.n_threads = params.n_threads_batch = threads
        params.kv_unified = True
        forget_errors()
        handle = lib.llama_init_from_model(model.handle, params)
        if not handle:
            raise _too_large(n_ctx, need, first_error())
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


def _too_large(n_ctx: int, need: int, why: str) -> BackendError:
    return BackendError(
        f"A context of {n_ctx:,} tokens ({need / 2**30:.1f} GiB) cannot be allocated: {why}.",
        "Use a smaller context or fewer sequences.",
    )
