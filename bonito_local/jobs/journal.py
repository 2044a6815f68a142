"""What was asked of a job, which processes worked on it, how far it is, what they have read."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from bonito_local.jobs.database import Database, storable
from bonito_local.jobs.ledger import Ledger, ledger

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
        return json.loads(found[0]) if found else None

    def settings(self) -> dict[str, Setting]:
        """What all rows share; empty before the first `bind`."""
        with self.errors():
            rows = self._db.execute("SELECT name, value FROM settings").fetchall()
        return {name: json.loads(value) for name, value in rows}

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
        values = dict(zip(_RUN, found, strict=True))
        return Run(**values | {"detached": bool(values["detached"])})

    def ledger(self) -> Ledger:
        """How many samples of the job ended how, by task, outcome and reason."""
        with self.errors():
            return ledger(
                self._db.execute(
                    """SELECT task, outcome, reason, samples FROM counts
                       WHERE samples ORDER BY 1, 2, 3"""
                ).fetchall()
            )

    def passage_count(self) -> int:
        """Number of distinct passages in the job."""
        with self.errors():
            (count,) = self._db.execute("SELECT value FROM totals").fetchone()
        return int(count)

    def was_read(self, mark: Mark, manner: str) -> list[Problem] | None:
        """The problems of a document that is planned in this manner and unchanged, else None."""
        from bonito_local.passages.types import Problem

        with self.errors():
            found = self._db.execute(
                """SELECT problems FROM readings
                   WHERE source = ? AND bytes = ? AND modified = ? AND manner = ?""",
                (storable(mark.source), mark.bytes, mark.modified, manner),
            ).fetchone()
        return [Problem(**problem) for problem in json.loads(found[0])] if found else None

    def set_read(self, mark: Mark, manner: str, problems: list[Problem]) -> None:
        """Note that every passage of a document is planned. Call in a transaction."""
        told = json.dumps([asdict(problem) for problem in problems])
        self._db.execute(
            "INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?)",
            (storable(mark.source), mark.bytes, mark.modified, manner, told),
        )
