"""The reader process: parses documents where a crash, a hang or a bomb hurts nobody.

`python -m bonito_local.passages.confined BYTES [tables]` reads requests from its standard input
and writes answers to its standard output. It has no network and starts no program, may take so
many bytes of memory, and where Linux has Landlock opens no file but its own programs' and, to
read them, tables: what a document refers to is out of its reach. Its parent watches the clock.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO

from bonito_local import airgap
from bonito_local.airgap.audit import attempts
from bonito_local.airgap.confinement import confine
from bonito_local.errors import AirGapError, DocumentError
from bonito_local.passages.notes import Notes
from bonito_local.passages.ocr import Recognizer, data_folders
from bonito_local.passages.wire import Alive, Asked, Ended, receive_asked, send_answer


def main(most_memory: int, tables: bool) -> None:
    """Serve until the parent closes the pipe."""
    airgap.enter(programs=False)
    requests, answers = sys.stdin.buffer, _private_stdout()

    def fault(kind: type[BaseException], _error: BaseException, _at: TracebackType | None) -> None:
        # The name of the error and no more: its text may be the document's.
        title = f"The document cannot be read ({kind.__name__})."
        send_answer(answers, Ended(title, _LEAVE_OUT, final=True))

    sys.excepthook = fault
    _load()
    _limit(most_memory, tables)
    while asked := receive_asked(requests):
        try:
            ended = _read(asked, answers)
        except MemoryError:
            ended = Ended("The document takes too much memory to read.", "Split it.", final=True)
        send_answer(answers, ended)
        if ended.final:
            return


def _read(asked: Asked, answers: IO[bytes]) -> Ended:
    from bonito_local.passages.documents import read_table, read_text

    attempts.clear()
    document, options = asked.document, asked.options
    try:
        if asked.data is None:
            for answer in read_table(document, options.column):
                send_answer(answers, answer)
        else:
            alive = partial(send_answer, answers, Alive())
            eyes = Recognizer(options.ocr, alive) if options.ocr else None
            notes = Notes(options.hidden)
            try:
                text = read_text(asked.data, document.kind, eyes, notes)
            finally:
                for problem in notes.problems:
                    send_answer(answers, replace(problem, source=document.source))
            if not attempts:
                send_answer(answers, text)
    except DocumentError as error:
        ended = Ended(error.title, error.remedy)
    except RecursionError:
        ended = Ended("The document is nested too deeply.", _LEAVE_OUT)
    except AirGapError as error:
        ended = Ended(error.title, error.remedy)
    except ImportError as error:
        ended = Ended(f"What reads {document.kind} is not installed ({error.name}).", _INSTALL)
    else:
        ended = Ended()
    if attempts:  # whether or not the reader hid that it was refused
        return Ended(
            f"What reads {document.kind} tried to leave the air gap ({attempts[0]}); "
            "it was refused.",
            "Find out what it was: reading needs no network and no other program.",
        )
    return ended


def _load() -> None:
    """Import all that reading needs, while files can still be opened and there is one thread."""
    for name in _NEEDED:
        with suppress(ImportError):  # said of the document that needs it
            import_module(name)


def _private_stdout() -> IO[bytes]:
    """Keep standard output for answers: what a native library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _limit(most_memory: int, tables: bool) -> None:
    """Bound memory and files, and end with the parent, as far as the system can."""
    readable = None if tables else (*_FONTS, *data_folders())
    # What a library unpacks or remembers stays in a folder that ends with this process.
    confine(most_memory, readable, [Path(tempfile.gettempdir())])


_NEEDED = (
    "kreuzberg",
    "pypdfium2",
    "charset_normalizer",
    "selectolax.lexbor",
    "bonito_local.passages.documents",
)
_FONTS = (Path("/usr/share/fonts"), Path("/usr/share/fontconfig"), Path("/etc/fonts"))
_LEAVE_OUT = "Leave it out, or save it anew with the program that made it."
_INSTALL = "Install bonito-local again."

if __name__ == "__main__":
    main(int(sys.argv[1]), "tables" in sys.argv[2:])
