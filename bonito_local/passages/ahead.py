"""Reading ahead: a few processes read the next documents while one is split."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from queue import Empty, Full, Queue

from bonito_local.errors import DocumentError
from bonito_local.passages.discover import TABLES
from bonito_local.passages.documents import MAX_BYTES
from bonito_local.passages.kinds import HEAD, kind_of
from bonito_local.passages.opening import open_document, unreadable
from bonito_local.passages.process import Readers
from bonito_local.passages.types import Document, Problem, ReadOptions, Text

_MOST_READERS = 4
_AHEAD = 4  # documents for each reader that wait, read or not
_AHEAD_BYTES = 64_000_000  # of files; one that is larger is read alone
_ROWS = 64  # of a table that wait
_LOOK_SECONDS = 0.1

_PIECE = 1 << 20  # bytes of a table that are hashed together

Stop = Callable[[], bool]


def _never() -> bool:
    return False


_stop: ContextVar[Stop] = ContextVar("stop", default=_never)


@contextmanager
def stopped_by(stop: Stop) -> Iterator[None]:
    """Let whoever waits for a document in the block be interrupted once `stop()` is true.

    Some documents take half a minute, and the largest tables minutes until the first row.
    """
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


Opened = str | Text | Problem  # a document's SHA-256 in hex, then its text or its rows


def opened(
    document: Document, options: ReadOptions, readers: Readers, stop: Stop = _never
) -> Iterator[Opened]:
    """Yield a document's SHA-256, and then what a reader process makes of it; less at `stop`.

    Raises:
        DocumentError: it cannot be read, or not to its end.
    """
    if document.kind in TABLES and _is_table(document):
        data = None
        digest = _file_sha256(document.path, stop)
        if stop():
            return
        yield digest
    else:
        data = _bytes(document.path)
        yield hashlib.sha256(data).hexdigest()
    yield from readers.texts(document, data, options)


def read_ahead(
    found: Iterable[Document | Problem], options: ReadOptions
) -> Iterator[tuple[Document, Iterator[Opened]] | Problem]:
    """Yield each document with what `opened` yields of it, and each problem, in order.

    As many documents as there are processors, at most four, are read at the same time. What
    waits is bounded: 16 documents, 64 MB of files, 64 rows of each table.
    """
    waiting: deque[_Reading | Problem] = deque()
    coming, more, size = iter(found), True, 0
    with _Pool() as pool:
        while True:
            while more and len(waiting) < _AHEAD * pool.readers and size < _AHEAD_BYTES:
                item = next(coming, None)
                if item is None:
                    more = False
                elif isinstance(item, Problem):
                    waiting.append(item)
                else:
                    reading = _Reading(item, options)
                    reading.future = pool.start(reading)
                    size += reading.size
                    waiting.append(reading)
            if not waiting:
                return
            first = waiting.popleft()
            if isinstance(first, Problem):
                yield first
                continue
            yield first.document, first.items()
            first.dropped.set()
            size -= first.size


class _Reading:
    """A document that is read by a thread of the pool, and what waits of it."""

    def __init__(self, document: Document, options: ReadOptions) -> None:
        self.document = document
        self.size = _size(document.path)
        self.dropped = threading.Event()
        self.future: Future[None] | None = None
        self._options = options
        self._waiting: Queue[Opened | None] = Queue(_ROWS)

    def run(self, readers: Readers) -> None:
        """Read it, in a thread of the pool."""
        try:
            for item in opened(self.document, self._options, readers, self.dropped.is_set):
                self._put(item)
                if self.dropped.is_set():
                    return
        finally:
            self._put(None)

    def items(self) -> Iterator[Opened]:
        """Yield what `opened` yields, in the thread that wants it; raise what it raises.

        Raises:
            KeyboardInterrupt: the user stops the run; see `stopped_by`.
        """
        while (item := self._next()) is not None:
            yield item
        if self.future:
            self.future.result()

    def _next(self) -> Opened | None:
        while True:
            try:
                return self._waiting.get(timeout=_LOOK_SECONDS)
            except Empty:
                if _stop.get()():
                    raise KeyboardInterrupt from None

    def _put(self, item: Opened | None) -> None:
        while not self.dropped.is_set():
            try:
                self._waiting.put(item, timeout=_LOOK_SECONDS)
                return
            except Full:
                continue


class _Pool:
    """Threads, each with reader processes of its own."""

    def __init__(self) -> None:
        self.readers = max(1, min(_MOST_READERS, _processors()))
        self._threads = ThreadPoolExecutor(self.readers, "reading")
        self._own = threading.local()
        self._all: list[Readers] = []
        self._started: list[_Reading] = []

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for reading in self._started:
            reading.dropped.set()
        for readers in self._all:
            readers.kill()
        self._threads.shutdown(cancel_futures=True)
        for readers in self._all:
            readers.end()

    def start(self, reading: _Reading) -> Future[None]:
        self._started = [held for held in self._started if not held.dropped.is_set()]
        self._started.append(reading)
        return self._threads.submit(self._run, reading)

    def _run(self, reading: _Reading) -> None:
        if not hasattr(self._own, "readers"):
            self._own.readers = Readers()
            self._all.append(self._own.readers)
        reading.run(self._own.readers)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it says why


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _file_sha256(path: Path, stop: Stop) -> str:
    digest = hashlib.sha256()
    try:
        with os.fdopen(open_document(path), "rb") as file:
            while not stop() and (piece := file.read(_PIECE)):
                digest.update(piece)
            return digest.hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def _is_table(document: Document) -> bool:
    """Whether a table's first bytes are of no other kind of document."""
    try:
        with os.fdopen(open_document(document.path), "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise unreadable(error) from error
    return kind_of(head, document.kind) in (document.kind, "") or not head


def _bytes(path: Path) -> bytes:
    try:
        with os.fdopen(open_document(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # One byte more tells a file that grows meanwhile.
            data = file.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
            if max(size, len(data)) > MAX_BYTES:
                raise DocumentError(
                    f"The file is too large to be read whole ({size / 1e6:.0f} MB).",
                    f"Split it into files of at most {MAX_BYTES // 1_000_000} MB.",
                )
            return data
    except OSError as error:
        raise unreadable(error) from error
