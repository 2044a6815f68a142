"""The SQLite store of one job: documents, passages, samples and their outcomes.

Text that a user gave or a model wrote is in here, so the file is 0600 in a 0700
folder. WAL lets others read while a job runs; each thread has its own connection.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.ledger import Ledger, Outcome, ledger
from bonito_local.jobs.migrations import migrate
from bonito_local.jobs.seeds import passage_hash
from bonito_local.jobs.spec import Setting
from bonito_local.passages.types import Passage, Problem

_PAGE = 256
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A sample without an outcome, with what is needed to ask for it."""

    id: int
    passage: int
    task: str
    sample: int
    hash: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one sample ended. `digest` is set where the outcome is accepted."""

    id: int
    outcome: Outcome
    reason: str = ""
    completion: str = ""
    instruction: str | None = None
    response: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted sample with its passage and where that stands."""

    instruction: str
    response: str
    task: str
    sample: int
    passage: str
    passage_hash: str
    source: str
    source_sha256: str
    page: int | None
    start: int
    end: int
    heading: str


class Store:
    """One job's database. Every method raises JobError where SQLite cannot go on."""

    def __init__(self, path: Path) -> None:
        """Open the store at `path`, made if missing, at the newest schema."""
        self.path = path
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._errors():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            migrate(self._db)

    def close(self) -> None:
        """Close the connections of all threads; nothing uncommitted is kept."""
        for db in self._open:
            db.close()
        self._open.clear()

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            # Only `close` touches a connection from another thread than its own.
            db = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA foreign_keys = ON")
            self._local.db = db
            self._open.append(db)
        return db

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes, or nothing of it."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def bind(self, settings: Mapping[str, Setting]) -> None:
        """Make these the settings of a job without samples, or see that they are this job's.

        Raises:
            JobError: the store holds samples of other settings.
        """
        with self.transaction():
            held = self.settings()
            if held == settings:
                return
            if self._db.execute("SELECT 1 FROM samples LIMIT 1").fetchone():
                names = [n for n in {**held, **settings} if held.get(n) != settings.get(n)]
                changes = ", ".join(f"{n} {held.get(n)!r} -> {settings.get(n)!r}" for n in names)
                raise JobError(
                    f"The output holds a job with other settings ({changes}).",
                    "Write to another folder, or use the settings of that job.",
                )
            values = [(name, json.dumps(value)) for name, value in settings.items()]
            self._db.execute("DELETE FROM settings")
            self._db.executemany("INSERT INTO settings VALUES (?, ?)", values)

    def settings(self) -> dict[str, Setting]:
        """What all rows share; empty before the first `bind`."""
        with self._errors():
            rows = self._db.execute("SELECT name, value FROM settings").fetchall()
        return {name: json.loads(value) for name, value in rows}

    def add_passage(self, passage: Passage, tasks: Iterable[str], n: int) -> bool:
        """Plan n samples of each task, those that are not yet planned. Call in a transaction.

        Returns whether the passage's text is new to the job.
        """
        text = _storable(passage.text).strip()
        source, digest = _storable(passage.source), passage_hash(text)
        place = (passage.page, passage.start, passage.end, _storable(passage.heading))
        db = self._db
        db.execute(
            "INSERT OR IGNORE INTO documents (source, sha256) VALUES (?, ?)",
            (source, passage.source_sha256),
        )
        new = db.execute(
            """INSERT OR IGNORE INTO passages (hash, text, document, page, start, "end", heading)
               SELECT ?, ?, id, ?, ?, ?, ? FROM documents WHERE source = ? AND sha256 = ?""",
            (digest, text, *place, source, passage.source_sha256),
        ).rowcount
        (key,) = db.execute("SELECT id FROM passages WHERE hash = ?", (digest,)).fetchone()
        samples = [(key, task, index) for task in tasks for index in range(n)]
        db.executemany(
            "INSERT OR IGNORE INTO samples (passage, task, sample) VALUES (?, ?, ?)", samples
        )
        return new == 1

    def clear_problems(self) -> None:
        """Forget the problems of an earlier planning. Call in a transaction."""
        self._db.execute("DELETE FROM problems")

    def add_problem(self, problem: Problem) -> None:
        """Note a document that could not be read. Call in a transaction."""
        values = (problem.source, problem.title, problem.remedy)
        self._db.execute("INSERT INTO problems VALUES (?, ?, ?)", [_storable(v) for v in values])

    def problems(self) -> list[Problem]:
        """The documents that the last planning could not read."""
        with self._errors():
            rows = self._db.execute("SELECT source, title, remedy FROM problems ORDER BY rowid")
            return [Problem(*row) for row in rows]

    def pending(self) -> Iterator[Pending]:
        """Yield the samples without an outcome by passage, task and sample.

        Each is yielded once, however long it takes to end: pages of the table are
        read as they are asked for, so memory does not grow with the job.
        """
        after: tuple[int, str, int] = (0, "", 0)
        while True:
            with self._errors():
                page = self._db.execute(
                    """SELECT s.id, s.passage, s.task, s.sample, p.hash, p.text
                       FROM samples s JOIN passages p ON p.id = s.passage
                       WHERE s.outcome = 'pending' AND (s.passage, s.task, s.sample) > (?, ?, ?)
                       ORDER BY s.passage, s.task, s.sample LIMIT ?""",
                    (*after, _PAGE),
                ).fetchall()
            if not page:
                return
            for row in page:
                yield Pending(*row)
            after = page[-1][1:4]

    def record(self, results: Iterable[Result]) -> Counter[str]:
        """Commit outcomes together, and return how many of each there were.

        An accepted pair that the job already holds becomes a duplicate. A sample that
        has an outcome keeps it.
        """
        ends: Counter[str] = Counter()
        with self.transaction():
            for result in results:
                outcome: Outcome = result.outcome
                if outcome == "accepted" and self._holds(result.digest):
                    outcome = "duplicate"
                ends[outcome] += self._db.execute(
                    """UPDATE samples SET outcome = ?, reason = ?, completion = ?,
                       instruction = ?, response = ?, prompt_tokens = ?, completion_tokens = ?,
                       digest = ? WHERE id = ? AND outcome = 'pending'""",
                    (
                        outcome,
                        _storable(result.reason),
                        _storable(result.completion),
                        None if result.instruction is None else _storable(result.instruction),
                        None if result.response is None else _storable(result.response),
                        result.prompt_tokens,
                        result.completion_tokens,
                        result.digest,
                        result.id,
                    ),
                ).rowcount
        return ends

    def _holds(self, digest: bytes | None) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM samples WHERE digest = ? AND outcome = 'accepted'", (digest,)
        ).fetchone()
        return found is not None

    def ledger(self) -> Ledger:
        """Count every sample of the job by task, outcome and reason."""
        with self._errors():
            return ledger(
                self._db.execute(
                    "SELECT task, outcome, reason, count(*) FROM samples GROUP BY 1, 2, 3"
                ).fetchall()
            )

    def passage_count(self) -> int:
        """Number of distinct passages in the job."""
        with self._errors():
            (count,) = self._db.execute("SELECT count(*) FROM passages").fetchone()
        return int(count)

    def accepted(self) -> Iterator[Accepted]:
        """Yield the accepted rows by passage, task and sample, whatever order they came in."""
        with self._errors():
            cursor = self._db.execute(
                """SELECT s.instruction, s.response, s.task, s.sample, p.text, p.hash,
                          d.source, d.sha256, p.page, p.start, p."end", p.heading
                   FROM samples s JOIN passages p ON p.id = s.passage
                        JOIN documents d ON d.id = p.document
                   WHERE s.outcome = 'accepted' ORDER BY s.passage, s.task, s.sample"""
            )
            for row in cursor:
                yield Accepted(*row)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _job_error(error, self.path) from error


def _storable(text: str) -> str:
    """Replace lone surrogates (undecodable file names, broken documents): not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _job_error(error: sqlite3.Error | OSError, path: Path) -> JobError:
    """Say what an SQLite or system error means for the user."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return JobError(
            f"The disk that holds {path.parent} is full.",
            "Free some space and run the same command again: it goes on where it stopped.",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JobError(
            f"Another process has locked {path}.", "Wait until it ends, or stop it, and try again."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JobError(
            f"{path} is damaged, or not a job of bonito-local.", "Write to another folder."
        )
    return JobError(
        f"The job store {path} cannot be used: {error}.",
        "See that its folder can be written to and that its disk works, and try again.",
    )
