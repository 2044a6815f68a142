"""Reading ahead: a few processes read the next documents while one is split."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Full, Queue

from bonito_local.errors import DocumentError
from bonito_local.passages.discover import TABLES
from bonito_local.passages.documents import MAX_BYTES, unreadable
from bonito_local.passages.kinds import HEAD, kind_of
from bonito_local.passages.process import Readers
from bonito_local.passages.types import Document, Problem, ReadOptions, Text

_MOST_READERS = 4
_AHEAD = 4  # documents for each reader that wait, read or not
_AHEAD_BYTES = 64_000_000  # of files; one that is larger is read alone
_ROWS = 64  # of a table that wait
_LOOK_SECONDS = 0.1

Opened = str | Text | Problem  # a document's SHA-256 in hex, then its text or its rows


def opened(document: Document, options: ReadOptions, readers: Readers) -> Iterator[Opened]:
    """Yield a document's SHA-256, and then what a reader process makes of it.

    Raises:
        DocumentError: it cannot be read, or not to its end.
    """
    if document.kind in TABLES and _is_table(document):
        data = None
        yield _file_sha256(document.path)
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
            for item in opened(self.document, self._options, readers):
                self._put(item)
                if self.dropped.is_set():
                    return
        finally:
            self._put(None)

    def items(self) -> Iterator[Opened]:
        """Yield what `opened` yields, in the thread that wants it; raise what it raises."""
        while (item := self._waiting.get()) is not None:
            yield item
        if self.future:
            self.future.result()

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


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(error) from error


def _is_table(document: Document) -> bool:
    """Whether a table's first bytes are of no other kind of document."""
    try:
        with document.path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise unreadable(error) from error
    return kind_of(head, document.kind) in (document.kind, "") or not head


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DocumentError(
                f"The file is too large to be read whole ({size / 1e6:.0f} MB).",
                f"Split it into files of at most {MAX_BYTES // 1_000_000} MB.",
            )
        return path.read_bytes()
    except OSError as error:
        raise unreadable(error) from error
