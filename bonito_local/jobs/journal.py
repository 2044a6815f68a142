"""What was asked of a job, which processes worked on it, how far it is, what they have read."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from bonito_local.jobs.columns import Columns
from bonito_local.jobs.database import Database, storable
from bonito_local.jobs.ledger import OUTCOMES, PENDING, Ledger, ledger
from bonito_local.jobs.livedata import PROBLEMS, SETTINGS, SHAPES
from bonito_local.shapes import Shape, ShapeError, anything, maybe, number, one_of, parse, whole

if TYPE_CHECKING:
    from bonito_local.jobs.spec import Setting
    from bonito_local.passages.types import Problem

Ended = Literal["finished", "paused", "cancelled", "stopped", "failed"]
Wish = Literal["pause", "cancel"]
ENDINGS: dict[Wish, Ended] = {"pause": "paused", "cancel": "cancelled"}


@dataclass(frozen=True, slots=True)
class Run:
    """One process's work on a job, by the wall clock.

    `state` is "running" from its start; a process that died never said how it ended.
    """

    id: int
    pid: int
    backend: str
    detached: bool
    started: float
    ended: float | None
    state: Literal["running"] | Ended
    error: str
    remedy: str


_RUN = tuple(field.name for field in fields(Run))
_OF_RUNS = Columns(
    id="whole",
    pid="whole",
    backend="text",
    detached="whole",
    started="number",
    ended="number?",
    state="text",
    error="text",
    remedy="text",
)
_OF_COUNTS = Columns(task="text", outcome="text", reason="text", samples="whole")
_END_OF_TIME = 253_402_300_799  # of calendars: the year 9999


def _value(stored: Any, name: str, shape: Shape) -> Any:
    """Return what is kept as JSON, seen to be of its shape.

    Raises:
        ShapeError: it is not.
    """
    if not isinstance(stored, str):
        raise ShapeError(f"{name} is no text")
    value = parse(stored)
    shape(value, name)
    return value


def _held(nanoseconds: int) -> int:
    """Return a time as SQLite holds it, in 64 bits: files may be dated after the year 2262."""
    return max(-(1 << 63), min(nanoseconds, (1 << 63) - 1))


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells an unchanged document from a changed one without reading it."""

    source: str
    bytes: int
    modified: int


class Journal(Database):
    """The part of a job's database that is about running it."""

    def save(self, name: str, value: Any) -> None:
        """Keep a value (JSON) under a name, in place of the one there."""
        with self.errors():
            self._db.execute("INSERT OR REPLACE INTO live VALUES (?, ?)", (name, json.dumps(value)))

    def load(self, name: str) -> Any:
        """The value kept under a name, or None."""
        with self.errors():
            found = self._db.execute("SELECT value FROM live WHERE name = ?", (name,)).fetchone()
            return _value(found[0], name, SHAPES.get(name, anything)) if found else None

    def settings(self) -> dict[str, Setting]:
        """What all rows share; empty before the first `bind`."""
        with self.errors():
            rows = self._db.execute("SELECT name, value FROM settings").fetchall()
            settings = {str(name): _value(value, str(name), anything) for name, value in rows}
            SETTINGS(settings, "settings")
        return settings

    def wish(self) -> Wish | None:
        """What the user wants of the process that works on the job, if anything."""
        found: Wish | None = self.load("wish")
        return found

    def hurry(self) -> None:
        """Let what this thread writes from now on be lost in a power cut: progress is."""
        with self.errors():
            self._db.execute("PRAGMA synchronous = NORMAL")

    def begin_run(self, backend: str, detached: bool) -> int:
        """Note that this process works on the job from now on; wishes of before are void."""
        with self.transaction():
            self._db.execute("DELETE FROM live WHERE name IN ('wish', 'progress')")
            run = self._db.execute(
                "INSERT INTO runs (pid, backend, detached, started) VALUES (?, ?, ?, ?)",
                (os.getpid(), backend, detached, time.time()),
            ).lastrowid
        return run or 0

    def end_run(self, run: int, state: Ended, error: str = "", remedy: str = "") -> None:
        """Note how a run ended."""
        with self.transaction():
            self._db.execute(
                "UPDATE runs SET ended = ?, state = ?, error = ?, remedy = ? WHERE id = ?",
                (time.time(), state, storable(error), storable(remedy), run),
            )

    def drop_run(self, run: int) -> None:
        """Forget a run that was refused: it never was one."""
        with self.errors():
            self._db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def last_run(self) -> Run | None:
        """The newest run, ended or not."""
        with self.errors():
            found = self._db.execute(
                f"SELECT {', '.join(_RUN)} FROM runs ORDER BY id DESC LIMIT 1"  # noqa: S608
            ).fetchone()
            if found is None:
                return None
            values = dict(zip(_RUN, _OF_RUNS.check(found), strict=True))
            for name in ("started", "ended"):
                maybe(number(0, _END_OF_TIME))(values[name], name)
            one_of("running", *get_args(Ended))(values["state"], "state")
        return Run(**values | {"detached": bool(values["detached"])})

    def ledger(self) -> Ledger:
        """How many samples of the job ended how, by task, outcome and reason."""
        with self.errors():
            rows = self._db.execute(
                """SELECT task, outcome, reason, samples FROM counts
                   WHERE samples ORDER BY 1, 2, 3"""
            ).fetchall()
            for row in rows:
                whole(0)(_OF_COUNTS.check(row)[-1], "counts")
                one_of(*OUTCOMES, PENDING)(row[1], "an outcome")
            return ledger(rows)

    def passage_count(self) -> int:
        """Number of distinct passages in the job."""
        with self.errors():
            found = self._db.execute("SELECT value FROM totals").fetchone()
            whole(0)(found[0] if found else None, "totals")
        return int(found[0])

    def was_read(self, mark: Mark, manner: str) -> list[Problem] | None:
        """The problems of a document that is planned in this manner and unchanged, else None."""
        from bonito_local.passages.types import Problem

        with self.errors():
            found = self._db.execute(
                """SELECT problems FROM readings
                   WHERE source = ? AND bytes = ? AND modified = ? AND manner = ?""",
                (storable(mark.source), mark.bytes, _held(mark.modified), manner),
            ).fetchone()
            problems = _value(found[0], "readings", PROBLEMS) if found else None
        return None if problems is None else [Problem(**problem) for problem in problems]

    def set_read(self, mark: Mark, manner: str, problems: list[Problem]) -> None:
        """Note that every passage of a document is planned. Call in a transaction."""
        told = json.dumps([asdict(problem) for problem in problems])
        self._db.execute(
            "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?)",
            (storable(mark.source), mark.bytes, _held(mark.modified), manner, told),
        )
