"""The renderer process: templates of strangers' run here, where they can do no harm.

`python -m bonito_local.templating.renderer BYTES SECONDS` reads requests from its standard
input, a line of JSON each, and answers every template and every row by a line of its own. It
has no network, starts no program, may take so many bytes of memory and so many seconds for an
answer, and where Linux has Landlock opens no file but its own programs'. Its parent watches the
clock too: not everything that native code does can be interrupted.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from types import FrameType, TracebackType
from typing import Any, Self

from bonito_local import airgap
from bonito_local.airgap.confinement import confine
from bonito_local.templating.reasons import TOO_MUCH
from bonito_local.templating.sandbox import RAISED, Rows

# Not on Windows, where only the parent's clock runs.
_CLOCK = hasattr(signal, "SIGPROF")

_MOST_STRIKES = 3  # rows that take too long, after which a template is not tried again


class _Late(BaseException):
    """No `Exception`, lest Jinja takes it for one of the template's."""


def main(most_memory: int, seconds: float) -> None:
    """Serve until the parent closes the pipe."""
    airgap.enter(programs=False)
    confine(most_memory, (), ())
    if _CLOCK:
        signal.signal(signal.SIGPROF, _late)
    rows: Rows | None = None
    strikes: Counter[int] = Counter()
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        if "templates" in asked:
            rows = _open(asked, seconds)
            strikes = Counter(dict.fromkeys(asked["banned"], _MOST_STRIKES))
        elif rows is not None:
            for number, seed, example in asked["rows"]:
                if strikes[number] >= _MOST_STRIKES:
                    _say(TOO_MUCH)
                    continue
                with _Within(seconds) as clock:
                    answer = rows.make(number, seed, example)
                strikes[number] += clock.late
                _say(TOO_MUCH if clock.late else answer)


def _open(asked: dict[str, Any], seconds: float) -> Rows | None:
    """Compile a dataset's templates; answer for what they share, and then for each of them."""
    rows: Rows | None = None
    answer: Any
    with _Within(seconds) as clock:
        try:
            rows = Rows(asked["passage"], asked["values"], asked["cut"])
            answer = sorted(rows.columns)
        except RAISED as error:
            answer = str(error) or type(error).__name__
    _say(TOO_MUCH if clock.late else answer)
    if rows is None:
        return None
    for template in asked["templates"]:
        with _Within(seconds) as clock:
            try:
                answer = sorted(rows.add(template["text"], template["choices"]))
            except RAISED as error:
                answer = str(error) or type(error).__name__
        _say(TOO_MUCH if clock.late else answer)
    return rows


class _Within:
    """A block that is left after so many seconds of a core; `late` says whether it was."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self.late = seconds, False

    def __enter__(self) -> Self:
        if _CLOCK:
            signal.setitimer(signal.ITIMER_PROF, self._seconds)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> bool:
        if _CLOCK:
            signal.setitimer(signal.ITIMER_PROF, 0)
        self.late = isinstance(error, _Late)
        return self.late


def _late(_number: int, _frame: FrameType | None) -> None:
    raise _Late


def _say(answer: Any) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
