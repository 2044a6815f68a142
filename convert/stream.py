"""Streaming a plan: workers read, merge, quantize and write blocks of rows.

The output's layout is known from the plan, so blocks are independent: each worker takes the
next block and writes it where it belongs. Memory is a few blocks per worker, and the low-rank
matrices of the tensors under way.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from threadpoolctl import threadpool_limits

from bonito_local.convert import ggml, nf4
from bonito_local.convert.ggml import F32Array, U8Array
from bonito_local.convert.plan import PlannedTensor
from bonito_local.convert.rows import RowReader
from bonito_local.errors import ConvertError

BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversion is, in bytes of output; `tensor` is the one written last."""

    tensor: str
    tensors_done: int
    tensors: int
    bytes_done: int
    bytes: int


Loaded = tuple[F32Array, F32Array, F32Array | None]


class _Tensor:
    """A planned tensor under way: what its blocks share, loaded once and dropped at the end."""

    def __init__(self, planned: PlannedTensor, offset: int) -> None:
        self.planned = planned
        self.offset = offset
        self.scales: Future[tuple[F32Array, F32Array]] = Future()
        self._step = _block_rows(planned)
        self._left = -(-planned.rows // self._step)
        self._lock = threading.Lock()
        self._updates: list[Loaded] | None = None

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield (first row, row after the last)."""
        for first in range(0, self.planned.rows, self._step):
            yield first, min(first + self._step, self.planned.rows)

    def updates(self) -> list[Loaded]:
        """The low-rank matrices, loaded by the first block that asks."""
        with self._lock:
            if self._updates is None:
                self._updates = [update.load() for update in self.planned.updates]
            return self._updates

    def finish_block(self) -> bool:
        """Count a block as written; returns whether it was the last, and drops what they share."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._updates, self.scales = None, Future()
            return self._left == 0


def stream(
    tensors: Sequence[PlannedTensor],
    offsets: Sequence[int],
    file: BinaryIO,
    progress: Callable[[Progress], None],
) -> None:
    """Write every tensor at its offset of `file`, with one worker per core.

    Raises:
        ConvertError: a source cannot be read, or a weight is NaN or infinite.
        OSError: `file` cannot be written.
    """
    work = [_Tensor(planned, offset) for planned, offset in zip(tensors, offsets, strict=True)]
    steps = _steps(work)
    lock, stop = threading.Lock(), threading.Event()
    reports: queue.SimpleQueue[tuple[_Tensor, int, bool] | BaseException] = queue.SimpleQueue()

    def run() -> None:
        worker = _Worker(file, lock)
        try:
            while not stop.is_set():
                with lock:
                    step = next(steps, None)
                if step is None:
                    return
                tensor, span = step
                if span is None:
                    worker.scan(tensor)
                else:
                    written = worker.write(tensor, *span)
                    reports.put((tensor, written, tensor.finish_block()))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            reports.put(error)
        finally:
            worker.close()

    threads = [threading.Thread(target=run) for _ in range(os.cpu_count() or 1)]
    # The workers are the parallelism; BLAS threads below them would only fight for the cores.
    with threadpool_limits(1, "blas"):
        for thread in threads:
            thread.start()
        try:
            _watch(work, reports, progress)
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def _watch(
    work: Sequence[_Tensor],
    reports: queue.SimpleQueue[tuple[_Tensor, int, bool] | BaseException],
    progress: Callable[[Progress], None],
) -> None:
    total = sum(tensor.planned.nbytes for tensor in work)
    tensors = written = 0
    while tensors < len(work):
        report = reports.get()
        if isinstance(report, BaseException):
            raise report
        tensor, count, last = report
        written += count
        tensors += last
        progress(Progress(tensor.planned.name, tensors, len(work), written, total))


def _steps(work: Sequence[_Tensor]) -> Iterator[tuple[_Tensor, tuple[int, int] | None]]:
    """Yield blocks in order; None is the scan that an NF4 tensor needs, one tensor ahead."""
    scanned = 0
    for index, tensor in enumerate(work):
        for ahead in work[scanned : index + 2]:
            if ahead.planned.nf4:
                yield ahead, None
        scanned = index + 2
        for span in tensor.blocks():
            yield tensor, span


def _block_rows(planned: PlannedTensor) -> int:
    """Rows of a block: whole heads, and whole NF4 blocks, in about BLOCK_ELEMENTS."""
    # A vector is one row: a bias is interleaved whole.
    unit = max(planned.rows // planned.heads, 1) if planned.heads else 1
    if planned.nf4:
        unit = math.lcm(unit, nf4.BLOCK // math.gcd(nf4.BLOCK, planned.columns))
    return max(BLOCK_ELEMENTS // (planned.columns * unit), 1) * unit


class _Worker:
    """One thread's buffers and open files."""

    def __init__(self, file: BinaryIO, lock: threading.Lock) -> None:
        self._file = file
        self._lock = lock
        self._reader = RowReader()
        self._floats: list[F32Array] = [np.empty(0, np.float32) for _ in range(2)]
        self._bytes: U8Array = np.empty(0, np.uint8)

    def close(self) -> None:
        self._reader.close()

    def _float_buffer(self, which: int, rows: int, columns: int) -> F32Array:
        if self._floats[which].size < rows * columns:
            self._floats[which] = np.empty(rows * columns, np.float32)
        return self._floats[which][: rows * columns].reshape(rows, columns)

    def scan(self, tensor: _Tensor) -> None:
        """First pass over an NF4 tensor: the scales of all its blocks, as the base has them."""
        try:
            maxima = np.concatenate(
                [
                    nf4.block_maxima(self._read(tensor.planned, first, last))
                    for first, last in tensor.blocks()
                ]
            )
            tensor.scales.set_result((maxima, nf4.round_scales(maxima)))
        except BaseException as error:
            tensor.scales.set_exception(error)  # wakes the workers that wait for it
            raise

    def write(self, tensor: _Tensor, first: int, last: int) -> int:
        """Make rows [first, last) and write them; returns their bytes."""
        planned = tensor.planned
        weights = self._read(planned, first, last)
        if planned.nf4:
            start = first * planned.columns // nf4.BLOCK
            maxima, scales = (values[start:] for values in tensor.scales.result())
            nf4.round_trip(weights, maxima, scales)
        for left, right, magnitude in tensor.updates():
            change = self._float_buffer(1, last - first, planned.columns)
            np.matmul(left[first:last], right, out=change)
            weights += change
            if magnitude is not None:
                norms = np.linalg.norm(weights, axis=1)
                weights *= (magnitude[first:last] / norms)[:, None]
        _check_finite(planned, weights)
        if planned.heads:
            weights = self._interleave(weights, planned)
        size = (last - first) * ggml.row_bytes(planned.kind, planned.columns)
        if self._bytes.size < size:
            self._bytes = np.empty(size, np.uint8)
        ggml.quantize(planned.kind, weights, self._bytes, planned.importance)
        with self._lock:
            self._file.seek(tensor.offset + first * ggml.row_bytes(planned.kind, planned.columns))
            self._file.write(self._bytes[:size].data)
        return size

    def _read(self, planned: PlannedTensor, first: int, last: int) -> F32Array:
        out = self._float_buffer(0, last - first, planned.columns)
        if planned.source is None:
            out.reshape(-1)[:] = planned.values
        else:
            self._reader.read(planned.source, first * planned.columns, out.reshape(-1))
        if planned.nf4:
            _check_finite(planned, out)
            nf4.round_to_bf16(out)
        return out

    def _interleave(self, weights: F32Array, planned: PlannedTensor) -> F32Array:
        """Hugging Face keeps a head's two rotary halves apart; GGUF's llama wants them in pairs."""
        out = self._float_buffer(1, *weights.shape)
        head = planned.shape[0] // planned.heads
        width = planned.columns if len(planned.shape) > 1 else 1
        halves = weights.reshape(-1, 2, head // 2, width)
        out.reshape(-1, head // 2, 2, width)[:] = halves.swapaxes(1, 2)
        return out


def _check_finite(planned: PlannedTensor, weights: F32Array) -> None:
    # A sum is finite unless a weight is not, or it overflows: only then look at each.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(weights.sum(dtype=np.float32))
    if not finite and not np.isfinite(weights).all():
        raise ConvertError(
            f"Tensor {planned.name} has NaN or infinite weights.",
            "The checkpoint or the adapter is damaged.",
        )
