"""The SQLite store of one job: documents, passages, samples and their outcomes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from bonito_local.checks.sketch import Sketch
from bonito_local.errors import OtherSettingsError
from bonito_local.jobs.borrowed import Borrowing
from bonito_local.jobs.chosen import Chooser
from bonito_local.jobs.columns import Columns, WrongTypeError
from bonito_local.jobs.database import storable
from bonito_local.jobs.ledger import Outcome
from bonito_local.jobs.likeness import Likeness
from bonito_local.jobs.repeats import Repeats
from bonito_local.jobs.retrieval import UNFINDABLE, Retrieval, Search
from bonito_local.jobs.scoretable import Scores
from bonito_local.jobs.seeds import passage_hash
from bonito_local.jobs.spec import Setting
from bonito_local.passages.types import Passage, Problem

_PAGE = 256
_OF_PROBLEMS = Columns(source="text", title="text", remedy="text")
_OF_EVIDENCE = Columns(source="text", text="text", evidence_start="text")
_OF_PENDING = Columns(
    id="whole",
    passage="whole",
    task="text",
    sample="whole",
    hash="text",
    text="text",
    attempt="whole",
    source="text",
    heading="text",
)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sample without an outcome, with what is needed to ask for it."""

    id: int
    passage: int
    task: str
    sample: int
    hash: str
    text: str
    attempt: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a sample ended before it was written anew."""

    number: int
    outcome: Outcome
    reason: str
    completion: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one sample ended.

    `digest` and, where near-duplicates or the passage are looked for, `sketch` and `search` are
    set where the outcome is accepted. `evidence` is where the sentence stands that the row is
    about (start and end in the passage), `reread` what its question was answered the second time,
    `reasoning` what led to that answer, `earlier` how it ended before.
    """

    id: int
    outcome: Outcome
    reason: str = ""
    completion: str = ""
    instruction: str | None = None
    response: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    digest: bytes | None = None
    sketch: Sketch | None = None
    search: Search | None = None
    evidence: tuple[int, int] | None = None
    reread: str | None = None
    reasoning: str | None = None
    earlier: tuple[Attempt, ...] = ()


def place(source: str, heading: str) -> str:
    """Return where a passage stands, as a person would say it: document > heading > heading."""
    row = re.fullmatch(r"row \d+", heading)
    name = re.sub(r"[-_\s]+", " ", PurePath(source).stem).strip()
    named = name if re.search(r"[^\W\d_]{2}", name) else ""
    return " > ".join(filter(None, [named, "" if row else heading]))


class Store(Likeness, Repeats, Retrieval, Borrowing, Chooser, Scores):
    """What one job holds, and how each of its samples ended."""

    def bind(self, settings: Mapping[str, Setting]) -> None:
        """Make these the settings of a job without samples, or see that they are this job's.

        Raises:
            OtherSettingsError: the store holds samples of other settings.
        """
        with self.transaction():
            held = self.settings()
            if held == settings:
                return
            self._refuse(held, settings, {**held, **settings})
            values = [(name, json.dumps(value)) for name, value in settings.items()]
            self._db.execute("DELETE FROM settings")
            self._db.executemany("INSERT INTO settings VALUES (?, ?)", values)

    def check(self, some: Mapping[str, Setting]) -> None:
        """See that `bind` will not refuse these settings, which need not be all there are.

        Raises:
            OtherSettingsError: the store holds samples of other settings.
        """
        with self.errors():
            held = self.settings()
            self._refuse(held, some, some if held else ())

    def _refuse(
        self, held: Mapping[str, Setting], wanted: Mapping[str, Setting], names: Iterable[str]
    ) -> None:
        changed = [name for name in names if held.get(name) != wanted.get(name)]
        if changed and self._db.execute("SELECT 1 FROM samples LIMIT 1").fetchone():
            changes = ", ".join(f"{n} {held.get(n)!r} -> {wanted.get(n)!r}" for n in changed)
            raise OtherSettingsError(
                f"The output holds a job with other settings ({changes}).",
                "Write to another folder, or use the settings of that job.",
            )

    def add_passage(self, passage: Passage, tasks: Iterable[str], n: int) -> bool:
        """Plan n samples of each task, those that are not yet planned. Call in a transaction.

        Returns whether the passage's text is new to the job.
        """
        text = storable(passage.text).strip()
        source, digest = storable(passage.source), passage_hash(text)
        place = (passage.page, passage.start, passage.end, storable(passage.heading))
        db = self._db
        db.execute(
            "INSERT OR IGNORE INTO documents (source, sha256) VALUES (?, ?)",
            (source, passage.source_sha256),
        )
        new = db.execute(
            """INSERT OR IGNORE INTO passages
               (hash, text, document, page, start, "end", heading, language)
               SELECT ?, ?, id, ?, ?, ?, ?, ? FROM documents WHERE source = ? AND sha256 = ?""",
            (digest, text, *place, passage.language, source, passage.source_sha256),
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
        self._db.execute("INSERT INTO problems VALUES (?, ?, ?)", [storable(v) for v in values])

    def problems(self) -> list[Problem]:
        """The documents that the last planning could not read."""
        with self.errors():
            rows = self._db.execute("SELECT source, title, remedy FROM problems ORDER BY rowid")
            return [Problem(*_OF_PROBLEMS.check(row)) for row in rows]

    def evidence(self) -> Iterator[tuple[str, str, set[int]]]:
        """Yield each passage's document and text, and where its accepted rows' sentences begin.

        Passages come by document.
        """
        with self.errors():
            for row in self._db.execute(
                """SELECT d.source, p.text, coalesce(group_concat(DISTINCT s.evidence_start), '')
                   FROM passages p JOIN documents d ON d.id = p.document
                   LEFT JOIN samples s ON s.passage = p.id AND s.outcome = 'accepted'
                   GROUP BY p.id ORDER BY d.source, p.id"""
            ):
                source, text, starts = _OF_EVIDENCE.check(row)
                if not all(start.isdecimal() for start in starts.split(",") if start):
                    raise WrongTypeError("evidence_start")
                yield source, text, {int(start) for start in starts.split(",") if start}

    def pending(self) -> Iterator[Pending]:
        """Yield the samples to write that have no outcome, by passage, task and sample.

        Each is yielded once, however long it takes to end: pages of the table are
        read as they are asked for, so memory does not grow with the job.
        """
        after: tuple[int, str, int] = (0, "", 0)
        while True:
            with self.errors():
                page = self._db.execute(
                    """SELECT s.id, s.passage, s.task, s.sample, p.hash, p.text, s.attempt,
                           d.source, p.heading
                       FROM samples s JOIN passages p ON p.id = s.passage
                       JOIN documents d ON d.id = p.document
                       WHERE s.outcome = 'pending' AND s.question_of IS NULL
                             AND (s.passage, s.task, s.sample) > (?, ?, ?)
                       ORDER BY s.passage, s.task, s.sample LIMIT ?""",
                    (*after, _PAGE),
                ).fetchall()
                for row in page:
                    _OF_PENDING.check(row)
            if not page:
                return
            for row in page:
                key, passage, task, sample, digest, text, attempt, source, heading = row
                where = place(source, heading)
                yield Pending(key, passage, task, sample, digest, text, attempt, where)
            after = page[-1][1:4]

    def record(self, results: Iterable[Result]) -> Counter[str]:
        """Commit outcomes together, and return how many of each there are more.

        Of accepted rows that are the same or alike, all but the first planned become
        duplicates. A sample that has an outcome keeps it.
        """
        ends: Counter[str] = Counter()
        with self.transaction():
            for result in results:
                outcome, reason = result.outcome, result.reason
                pending = outcome == "accepted" and self._is_pending(result.id)
                if pending and result.search and not self.leads_back(result.id, result.search):
                    outcome, reason = "rejected", UNFINDABLE
                elif pending:
                    reason, later = self.find_duplicates(result.id, result.digest, result.sketch)
                    outcome = "duplicate" if reason else "accepted"
                    for other, why in later.items():
                        moved = self._db.execute(
                            """UPDATE samples SET outcome = 'duplicate', reason = ?
                               WHERE id = ? AND outcome = 'accepted'""",
                            (why, other),
                        ).rowcount
                        ends.update({"accepted": -moved, "duplicate": moved})
                self._keep_earlier(result)
                start, end = result.evidence or (None, None)
                ends[outcome] += self._db.execute(
                    """UPDATE samples SET outcome = ?, reason = ?, completion = ?,
                       instruction = ?, response = ?, prompt_tokens = ?, completion_tokens = ?,
                       digest = ?, evidence_start = ?, evidence_end = ?, reread = ?,
                       reasoning = ? WHERE id = ? AND outcome = 'pending'""",
                    (
                        outcome,
                        storable(reason),
                        storable(result.completion),
                        None if result.instruction is None else storable(result.instruction),
                        None if result.response is None else storable(result.response),
                        result.prompt_tokens,
                        result.completion_tokens,
                        result.digest if outcome in ("accepted", "duplicate") else None,
                        start,
                        end,
                        None if result.reread is None else storable(result.reread),
                        None if result.reasoning is None else storable(result.reasoning),
                        result.id,
                    ),
                ).rowcount
        return ends

    def _keep_earlier(self, result: Result) -> None:
        """Keep how a sample ended before it was written anew, as `ask_again` does."""
        if not result.earlier or not self._is_pending(result.id):
            return
        self._db.executemany(
            """INSERT OR REPLACE INTO earlier (sample, attempt, outcome, reason, completion)
               VALUES (?, ?, ?, ?, ?)""",
            [
                (result.id, one.number, one.outcome, one.reason, storable(one.completion))
                for one in result.earlier
            ],
        )
        self._db.execute(
            "UPDATE samples SET attempt = ? WHERE id = ?",
            (result.earlier[-1].number + 1, result.id),
        )

    def _is_pending(self, number: int) -> bool:
        found = self._db.execute(
            "SELECT 1 FROM samples WHERE id = ? AND outcome = 'pending'", (number,)
        ).fetchone()
        return found is not None

    def ask_again(self, outcomes: Iterable[Outcome]) -> int:
        """Make the samples that ended so pending again, and return their number.

        How they ended is kept. A sample whose text was drawn gets another seed, or it would
        be drawn alike; one that failed keeps its own, as no text ever came.
        """
        asked = 0
        with self.transaction():
            for outcome in outcomes:
                self.forget_sketches(outcome)
                self._db.execute(
                    """INSERT INTO earlier (sample, attempt, outcome, reason, completion)
                       SELECT id, attempt, outcome, reason, completion FROM samples
                       WHERE outcome = ?""",
                    (outcome,),
                )
                asked += self._db.execute(
                    """UPDATE samples SET outcome = 'pending', reason = '', completion = NULL,
                       instruction = NULL, response = NULL, prompt_tokens = NULL,
                       completion_tokens = NULL, digest = NULL, evidence_start = NULL,
                       evidence_end = NULL, reread = NULL, reasoning = NULL,
                       attempt = attempt + (outcome != 'failed') WHERE outcome = ?""",
                    (outcome,),
                ).rowcount
        return asked
