"""A llama.cpp context: the KV cache, one stream of cells for each sequence."""

from __future__ import annotations

from bonito_local.backends.llamacpp.bindings import Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.llamacpp.model import Model
from bonito_local.errors import BackendError

_BATCH = 512
_PAD = 256  # llama.cpp's unit of cells
_CELL_BYTES = 64  # of bookkeeping


class Context:
    """Room for `n_seq` sequences of `capacity` tokens each; made to measure by `fit`.

    Each sequence has cells of its own. In a cache shared by all (`kv_unified`), every token's
    attention scans the cells of all sequences: measured at 32 sequences of 480 tokens, that
    doubles the time of a prompt and of a drawn token.

    Attributes:
        limit: the most tokens (BOS, prompt and completion) that `fit` can give a sequence.
        n_batch: the most tokens of one batch.
    """

    def __init__(self, model: Model, *, n_seq: int, n_cells: int, threads: int) -> None:
        """Take up to `n_cells` cells for up to `n_seq` sequences; none are allocated yet.

        Raises:
            BackendError: a setting is out of range, or memory is short.
        """
        most = int(lib.llama_max_parallel_sequences())
        if not 1 <= n_seq <= most:
            raise BackendError(f"{n_seq} sequences cannot be decoded.", f"Use 1 to {most}.")
        if n_cells < 1:
            raise BackendError(f"A context of {n_cells} tokens holds nothing.", "Use 1 or more.")
        self._n_cells = -(-n_cells // _PAD) * _PAD
        # Asked first: where memory is overcommitted, too much of it is a killed process.
        if _bytes(model, self._n_cells) > available_memory():
            raise _too_large(model, self._n_cells, "memory is short")
        self.model = model
        self.handle: Handle | None = None
        self.n_seq = self._most = n_seq
        self.limit = min(self._n_cells, model.context_length)
        self.capacity = 0
        self.n_batch = _BATCH
        self._threads = threads

    def fit(self, need: int) -> bool:
        """Let every sequence hold `need` tokens, at most `limit`; True if that emptied it.

        Raises:
            BackendError: the cells cannot be allocated.
        """
        if need <= self.capacity:
            return False
        self.close()
        capacity = -(-need // _PAD) * _PAD
        self.n_seq = min(self._most, self._n_cells // capacity)
        params = lib.llama_context_default_params()
        params.n_ctx = self.n_seq * capacity
        params.n_seq_max = params.n_outputs_max = self.n_seq
        params.n_batch = params.n_ubatch = _BATCH
        params.n_threads = params.n_threads_batch = self._threads
        forget_errors()
        self.handle = lib.llama_init_from_model(self.model.handle, params) or None
        if self.handle is None:
            raise _too_large(self.model, self.n_seq * capacity, first_error())
        self.capacity = capacity
        self.n_batch = int(lib.llama_n_batch(self.handle))
        self._memory = lib.llama_get_memory(self.handle)
        return True

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` cells of a sequence to another, which is empty."""
        # Between streams llama.cpp copies whole ones only.
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        lib.llama_memory_seq_rm(self._memory, target, length, -1)

    def remove(self, sequence: int, start: int = 0) -> None:
        """Free a sequence's cells from position `start` on."""
        lib.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def clear(self) -> None:
        """Free all cells."""
        if self.handle is not None:
            lib.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free the cache's memory."""
        if self.handle is not None:
            lib.llama_free(self.handle)
        self.handle = None
        self.capacity = 0


def _bytes(model: Model, n_cells: int) -> int:
    return n_cells * (model.kv_bytes + _CELL_BYTES)


def _too_large(model: Model, n_cells: int, why: str) -> BackendError:
    return BackendError(
        f"A context of {n_cells:,} tokens ({_bytes(model, n_cells) / 2**30:.1f} GiB) "
        f"cannot be allocated: {why}.",
        "Use a smaller context or fewer sequences.",
    )
