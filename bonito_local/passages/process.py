"""The parent's side of reader processes: each is kept, and started anew when it ended.

Every document is parsed there. Where it takes too long or the process dies, that document is a
`DocumentError` and the next one gets a new process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO

from bonito_local.errors import DocumentError, OutputError, writing
from bonito_local.passages.scratch import make_scratch, remove_scratch
from bonito_local.passages.types import Document, Problem, ReadOptions, Text
from bonito_local.passages.wire import Alive, Answer, Asked, Ended, receive_answer, send_asked

MOST_SECONDS = 30.0  # for a document, each row of a table, each page of a scan
MOST_MEMORY = 3 << 30
_LOOK_SECONDS = 0.25
_LITTLE = 1 << 20  # bytes free on a disk that is as good as full
_FOLDERS = ("TMPDIR", "TEMP", "TMP", "KREUZBERG_CACHE_DIR")  # where it may write


class Readers:
    """The reader processes of one thread; one that has read a document waits for the next.

    A process ends with the thread that started it, so no two threads share one.
    """

    def __init__(self) -> None:
        # By whether they are for tables: those may open files, the others may not.
        self._idle: dict[bool, list[_Reader]] = {False: [], True: []}
        self._all: set[_Reader] = set()

    def texts(
        self, document: Document, data: bytes | None, options: ReadOptions
    ) -> Iterator[Text | Problem]:
        """Yield what a process makes of a document's bytes, or of the table at its path.

        Raises:
            DocumentError: it cannot be read, took too long or too much memory, or ended its reader.
            OutputError: no reader can be started, or its disk is full.
        """
        waiting = self._idle[data is None]
        reader = self._take(waiting) or _start(tables=data is None)
        self._all.add(reader)
        kept = False
        try:
            reader.ask(Asked(document, options, data))
            while not isinstance(answer := reader.answer(), Ended):
                if not isinstance(answer, Alive):
                    yield answer
            kept = not answer.final
        finally:
            # A reader left in the middle of a table, or after it died, is of no further use.
            if kept and reader.alive():
                waiting.append(reader)
            else:
                self._end(reader)
        if answer.title:
            reader.check_room()
            raise DocumentError(answer.title, answer.remedy)

    def end(self) -> None:
        """End them; the next document starts one."""
        for waiting in self._idle.values():
            waiting.clear()
        for reader in list(self._all):
            self._end(reader)

    def kill(self) -> None:
        """Kill them from another thread: what they read fails, and `end` is still to be called."""
        for reader in list(self._all):
            reader.kill()

    def _take(self, waiting: list[_Reader]) -> _Reader | None:
        while waiting:
            reader = waiting.pop()
            if reader.alive():
                return reader
            self._end(reader)
        return None

    def _end(self, reader: _Reader) -> None:
        self._all.discard(reader)
        reader.end()


def _start(*, tables: bool) -> _Reader:
    with writing(
        "No process to read documents can be started",
        "Free some space and memory, or allow more open files (ulimit -n), and try again.",
    ):
        return _Reader(tables=tables)


class _Reader:
    """A reader process and the clock that ends it."""

    def __init__(self, *, tables: bool) -> None:
        # -P: a module in the folder the user works in must not be taken for one of ours.
        command = [sys.executable, "-P", "-m", "bonito_local.passages.confined", str(MOST_MEMORY)]
        self._folder = make_scratch()
        own = dict.fromkeys(_FOLDERS, str(self._folder))
        self._process = subprocess.Popen(
            [*command, "tables"] if tables else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a parser's complaints may quote the document
            env={**os.environ, "MALLOC_ARENA_MAX": "2", **own},
            start_new_session=True,  # no terminal: neither to type into nor to hear Ctrl-C from
        )
        self._deadline: float | None = None
        self._late = False
        self._done = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, asked: Asked) -> None:
        self._deadline = time.monotonic() + MOST_SECONDS
        try:
            send_asked(_pipe(self._process.stdin), asked)
        except OSError:
            self._deadline = None  # it died: `answer` says how

    def answer(self) -> Answer:
        """Wait for the next answer, at most until the deadline."""
        self._deadline = time.monotonic() + MOST_SECONDS
        try:
            answer = receive_answer(_pipe(self._process.stdout))
        finally:
            self._deadline = None
        return self._death() if answer is None else answer

    def check_room(self) -> None:
        """Raise OutputError where the disk is full that the reader unpacks to.

        A document that could not be read then is not damaged.
        """
        try:
            room = shutil.disk_usage(self._folder.parent).free
        except OSError:
            return
        if room >= _LITTLE:
            return
        raise OutputError(
            f"The disk that holds {self._folder.parent} is full: documents cannot be read.",
            "Free some space and run the same command again: it goes on where it stopped.",
        )

    def kill(self) -> None:
        self._process.kill()

    def end(self) -> None:
        self._done.set()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                _pipe(pipe).close()
            except OSError:  # what was not sent yet
                continue
        self._process.wait()
        remove_scratch(self._folder)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._late = True
                self._process.kill()
                return

    def _death(self) -> Ended:
        status = self._process.wait()
        if self._late:
            return Ended(
                f"Reading took more than {MOST_SECONDS:.0f} s; it was stopped.", _SAVE, final=True
            )
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return Ended(
            f"The document's reader crashed, or ran out of memory ({name}).", _SAVE, final=True
        )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise DocumentError("The reader process has no pipe.", "Try again.")
    return pipe


_SAVE = "Leave it out, or save it anew with the program that made it."
shared = Readers()  # of the thread that reads documents one after the other
atexit.register(shared.end)
