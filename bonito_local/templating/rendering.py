"""The parent's side of the renderer process, which is started anew where a template ended it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any, Self

from bonito_local.errors import TemplatesError
from bonito_local.templating.reasons import TOO_MUCH
from bonito_local.templating.source import Source

_MOST_MEMORY = 1 << 30
_SECONDS = 2.0  # for a row or a template, within the process
_MOST_SECONDS = 60.0  # after which it is ended; by the clock, which on a busy machine runs ahead
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Asked:
    """A row to make: the template's number, the seed of its draws, and the example in JSON."""

    template: int
    seed: int
    example: str


@dataclass(frozen=True, slots=True)
class Made:
    """A passage as it goes into the prompt, and what is to be written; `cut` if a text was."""

    passage: str
    instruction: str
    response: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """The columns that a template asks for, or why it cannot be used."""

    columns: frozenset[str] = frozenset()
    error: str = ""


class Renderer:
    """Makes rows of a source's examples by its templates, of which none can do harm.

    `seconds` is the time for a row, `most_seconds` the time after which the process is ended.
    """

    def __init__(self, seconds: float = _SECONDS, most_seconds: float = _MOST_SECONDS) -> None:
        self._seconds, self._most_seconds = seconds, most_seconds
        self._process: _Process | None = None
        self._source: Source | None = None
        self._banned: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def check(self, source: Source) -> tuple[Checked, list[Checked]]:
        """Compile a source's templates; returns what all of them share, and each.

        Raises:
            TemplatesError: the process does not run.
        """
        checked: list[Checked] = []
        while True:
            left = replace(source, templates=source.templates[len(checked) :])
            shared, *each = self._compile(left)
            checked += each
            if shared.error or len(checked) == len(source.templates):
                return shared, checked
            checked.append(Checked(error=TOO_MUCH))  # the one that ended the process

    def open(self, source: Source) -> None:
        """Make ready for rows of a source whose templates have been checked."""
        self._source, self._banned = source, set()
        self._compile(source)

    def make(self, asked: Sequence[Asked]) -> Iterator[Made | str]:
        """Yield for each its row, or why there is none."""
        done = 0
        while done < len(asked):
            for answer in self._rows(asked[done:]):
                done += 1
                yield answer
            if done < len(asked) and self._source:
                # This one ended the process, which took seconds: it is not asked again.
                self._banned.add(asked[done].template)
                done += 1
                yield TOO_MUCH
                self._compile(self._source)

    def _compile(self, source: Source) -> list[Checked]:
        request = {
            "passage": source.passage,
            "values": dict(source.values),
            "cut": source.cut,
            "templates": [{"text": t.text, "choices": t.choices} for t in source.templates],
            "banned": sorted(self._banned),
        }
        checked: list[Checked] = []
        for answer in self._ask(json.dumps(request), 1 + len(source.templates)):
            wrong = isinstance(answer, str)
            checked.append(Checked(error=answer) if wrong else Checked(frozenset(answer)))
            if checked[0].error:
                break  # nothing can be compiled without what all share
        if not checked:
            raise TemplatesError(
                "The process that renders templates does not run.",
                "`bonito-local doctor` checks this installation.",
            )
        return checked

    def _rows(self, asked: Sequence[Asked]) -> Iterator[Made | str]:
        rows = ",".join(f"[{row.template},{row.seed},{row.example}]" for row in asked)
        for answer in self._ask(f'{{"rows":[{rows}]}}', len(asked)):
            yield answer if isinstance(answer, str) else Made(*answer)

    def _ask(self, request: str, answers: int) -> Iterator[Any]:
        """Yield the answers to a request, fewer where the process ended."""
        if self._process is None:
            self._process = _Process(self._seconds, self._most_seconds)
        self._process.send(request)
        for _ in range(answers):
            line = self._process.receive()
            if not line:
                self._end()
                return
            yield json.loads(line)

    def _end(self) -> None:
        if self._process:
            self._process.end()
            self._process = None


class _Process:
    """A renderer process and the clock that ends it."""

    def __init__(self, seconds: float, most_seconds: float) -> None:
        command = ["-m", "bonito_local.templating.renderer", str(_MOST_MEMORY), str(seconds)]
        self._process = subprocess.Popen(
            # -P: a module in the folder the user works in must not be taken for one of ours.
            [sys.executable, "-P", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what Python says of a template may quote an example
            start_new_session=True,  # no terminal: neither to type into nor to hear Ctrl-C from
        )
        self._most_seconds = most_seconds
        self._deadline: float | None = None
        self._done = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def send(self, request: str) -> None:
        """Send a line; where the process has ended, `receive` says so."""
        with suppress(OSError):
            pipe = _pipe(self._process.stdin)
            pipe.write(request.encode("utf-8", "replace") + b"\n")
            pipe.flush()

    def receive(self) -> bytes:
        """Wait for a line, at most until the deadline; nothing where the process has ended."""
        self._deadline = time.monotonic() + self._most_seconds
        try:
            line = _pipe(self._process.stdout).readline()
        finally:
            self._deadline = None
        return line if line.endswith(b"\n") else b""

    def end(self) -> None:
        """End it, whatever it does."""
        self._done.set()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent yet
                _pipe(pipe).close()
        self._process.wait()

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_SECONDS):
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._process.kill()
                return


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TemplatesError("The process that renders templates has no pipe.", "Try again.")
    return pipe
