"""A thin typed layer over llama-cpp-python's low-level bindings.

Importing this module loads llama.cpp and keeps its errors in memory instead of all that it
says on stderr; `first_error` gives them back for error messages.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Batch", "Handle", "first_error", "forget_errors", "lib"]

try:
    import llama_cpp as lib
except (RuntimeError, OSError) as error:  # a shared library that is missing or does not load
    raise ImportError(f"llama-cpp-python does not load: {error}") from error

Handle = Any  # a ctypes pointer to what llama.cpp owns
_GGML_LOG_ERROR = 4
_errors: deque[str] = deque(maxlen=32)


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_error(level: int, text: bytes | None, _: Any) -> None:
    if level == _GGML_LOG_ERROR and text:
        _errors.append(text.decode("utf-8", errors="replace").strip())


lib.llama_log_set(_keep_error, ctypes.c_void_p(0))
lib.llama_backend_init()


def forget_errors() -> None:
    """Drop what llama.cpp has complained about so far, and listen to what comes.

    The log belongs to the process: anything else that uses llama.cpp may have taken it.
    """
    lib.llama_log_set(_keep_error, ctypes.c_void_p(0))
    _errors.clear()


def first_error() -> str:
    """The first of llama.cpp's complaints since `forget_errors`: the others follow from it."""
    said = _errors[0].splitlines()[0] if _errors else "no reason given"
    return (said.partition(": ")[2] or said).rstrip(":. ")  # without the function's name


class Batch:
    """One reusable llama_batch over numpy arrays, each token in one sequence.

    Attributes (all of length `capacity`):
        tokens, positions, sequences: int32.
        outputs: int8, 1 where logits are wanted.
    """

    def __init__(self, capacity: int) -> None:
        self.tokens = np.zeros(capacity, np.int32)
        self.positions = np.zeros(capacity, np.int32)
        self.sequences = np.zeros(capacity, np.int32)
        self.outputs = np.zeros(capacity, np.int8)
        self._counts = np.ones(capacity, np.int32)
        # llama_batch wants a pointer per token to its list of sequences, here of one.
        first = self.sequences.ctypes.data
        self._lists = (first + 4 * np.arange(capacity)).astype(np.uintp)
        self._batch = lib.llama_batch(
            n_tokens=0,
            token=_pointer(self.tokens, ctypes.c_int32),
            pos=_pointer(self.positions, ctypes.c_int32),
            n_seq_id=_pointer(self._counts, ctypes.c_int32),
            seq_id=_pointer(self._lists, ctypes.POINTER(ctypes.c_int32)),
            logits=_pointer(self.outputs, ctypes.c_int8),
        )

    def decode(self, context: Handle, n_tokens: int) -> int:
        """Run the first `n_tokens` through the model; returns llama_decode's status."""
        self._batch.n_tokens = n_tokens
        return int(lib.llama_decode(context, self._batch))


def _pointer(array: npt.NDArray[Any], kind: Any) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(kind))
