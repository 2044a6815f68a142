"""Commits outcomes in short batches, off the thread that generates."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter

from bonito_local.jobs.store import Result, Store

_BATCH_SECONDS = 0.5
_WAIT_SECONDS = 0.005
_BATCH_ROWS = 10  # the first; those after it are as many as take about half a second to write
_MOST_AHEAD = 4000  # results in memory: an engine that outruns the disk waits for it


class Recorder:
    """A thread that writes results to a store at most half a second after they come.

    `ends` counts what is committed, by outcome. An error of the store is raised by
    the next `put`, or by `close`.
    """

    def __init__(self, store: Store) -> None:
        self.ends: Counter[str] = Counter()
        self._store = store
        self._rows = _BATCH_ROWS
        self._queue: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def put(self, result: Result) -> None:
        """Hand over one result; waits where too many have not been written yet."""
        self._raise()
        while self._queue.qsize() >= _MOST_AHEAD:
            time.sleep(_WAIT_SECONDS)
            self._raise()
        self._queue.put(result)

    def close(self) -> None:
        """Commit what was handed over and end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while batch := self._batch():
                began = time.monotonic()
                self.ends.update(self._store.record(batch))
                self._adjust(len(batch), time.monotonic() - began)
        # A thread's end must not pass unseen: `put` and `close` raise it.
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def _adjust(self, rows: int, seconds: float) -> None:
        """Set the most rows of a batch: where many are alike, each takes milliseconds."""
        fast = seconds < _BATCH_SECONDS / 2
        most = 2 * self._rows if fast else int(rows * _BATCH_SECONDS / seconds)
        self._rows = max(1, min(_MOST_AHEAD, most))

    def _batch(self) -> list[Result]:
        """Wait for a result, then collect what follows in half a second; [] at the end."""
        batch: list[Result] = []
        deadline = None
        while len(batch) < self._rows:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                result = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if result is None:
                self._queue.put(None)  # Ends the next batch too, which is then empty.
                break
            batch.append(result)
            deadline = deadline or time.monotonic() + _BATCH_SECONDS
        return batch
