"""A llama.cpp context: the KV cache, one stream of cells for each sequence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bonito_local.backends.llamacpp.bindings import Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.machine import available_memory
from bonito_local.backends.llamacpp.model import Model
from bonito_local.backends.llamacpp.settings import CacheType, Settings
from bonito_local.errors import BackendError

_TYPES: dict[CacheType, tuple[int, float]] = {"f16": (1, 1.0), "q8_0": (8, 34 / 64)}
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

    def __init__(self, model: Model, settings: Settings, n_cells: int) -> None:
        """Take up to `n_cells` cells for up to `n_seq` sequences; none are allocated yet.

        Raises:
            BackendError: a setting is out of range, or memory is short.
        """
        most, n_seq = int(lib.llama_max_parallel_sequences()), settings.n_seq
        if not 1 <= n_seq <= most:
            raise BackendError(f"{n_seq} sequences cannot be decoded.", f"Use 1 to {most}.")
        if n_cells < 1:
            raise BackendError(f"A context of {n_cells} tokens holds nothing.", "Use 1 or more.")
        self._n_cells = -(-n_cells // _PAD) * _PAD
        # Asked first: where memory is overcommitted, too much of it is a killed process.
        self._cell_bytes = cell_bytes(model, settings)
        if self._n_cells * self._cell_bytes > available_memory():
            raise self._too_large(self._n_cells, "memory is short")
        self.model = model
        self.handle: Handle | None = None
        self.n_seq = self._most = n_seq
        self.limit = min(self._n_cells, model.context_length)
        self.capacity = 0
        self.n_batch = settings.ubatch
        self.settings = settings
        self._threads = 0

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
        settings, drawn = self.settings, 1 + self.settings.draft
        params.n_seq_max = self.n_seq
        params.n_outputs_max, params.n_outputs_max_per_seq = self.n_seq * drawn, drawn
        params.n_batch = params.n_ubatch = max(settings.ubatch, self.n_seq * drawn)
        params.type_k = params.type_v = _TYPES[settings.cache][0]
        params.flash_attn_type = (
            lib.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if settings.flash_attention
            else lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        forget_errors()
        self.handle = lib.llama_init_from_model(self.model.handle, params) or None
        if self.handle is None:
            raise self._too_large(self.n_seq * capacity, first_error())
        self.capacity = capacity
        self._threads = 0
        self.n_batch = int(lib.llama_n_batch(self.handle))
        self._memory = lib.llama_get_memory(self.handle)
        return True

    def use_threads(self, count: int) -> None:
        """Compute what follows with so many threads."""
        if count != self._threads:
            lib.llama_set_n_threads(self.handle, count, count)
            self._threads = count

    def copy(self, source: int, target: int, length: int) -> None:
        """Make the first `length` cells of a sequence the cells of another."""
        lib.llama_memory_seq_rm(self._memory, target, -1, -1)
        # Between streams llama.cpp copies whole ones only.
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)
        lib.llama_memory_seq_rm(self._memory, target, length, -1)

    def logits(self, row: int) -> npt.NDArray[np.float32]:
        """The last step's logits of one output row, to be changed in place."""
        found = lib.llama_get_logits_ith(self.handle, row)
        return np.ctypeslib.as_array(found, (self.model.vocabulary_size,))

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

    def _too_large(self, n_cells: int, why: str) -> BackendError:
        return BackendError(
            f"A context of {n_cells:,} tokens ({n_cells * self._cell_bytes / 2**30:.1f} GiB) "
            f"cannot be allocated: {why}.",
            "Use a smaller context or fewer sequences.",
        )


def cell_bytes(model: Model, settings: Settings) -> int:
    """Memory of one KV cell."""
    return round(model.kv_bytes * _TYPES[settings.cache][1]) + _CELL_BYTES
