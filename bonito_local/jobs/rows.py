"""A job's rows as a person looks at them: filtered, a page at a time, with their passages.

A page costs the same in a job of a hundred rows and of a million.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from bonito_local.jobs.chosen import Chooser, of_decision
from bonito_local.jobs.columns import Columns

Decision = Literal["", "accepted", "rejected"]
_FETCH = 5000
_WILD = re.compile("([%_!])")
_COLUMNS = """s.id, s.passage, s.task, s.sample, s.outcome, s.reason,
    coalesce(r.instruction, s.instruction, ''), coalesce(r.response, s.response, ''),
    coalesce(s.completion, ''), p.text, d.source, p.page, p.heading,
    coalesce(r.decision, ''), coalesce(r.reason, ''), r.instruction IS NOT NULL,
    r.score, coalesce(r.tags, ''), coalesce(r.note, ''),
    s.evidence_start, s.evidence_end, coalesce(s.reread, ''),
    CASE WHEN r.instruction IS NULL THEN coalesce(s.reasoning, '') ELSE '' END"""
_REVIEW = "LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt"
_PLACE = "JOIN passages p ON p.id = s.passage JOIN documents d ON d.id = p.document"


@dataclass(frozen=True, slots=True)
class Shown:
    """A row with its passage, how it ended by itself, and what a person said of it.

    The sentence that it is about is `passage[evidence_start:evidence_end]`; `reread` is what its
    question was answered when it was asked again, `reasoning` what led to that; of a row that a
    person changed there is none.
    """

    id: int
    passage_id: int
    task: str
    sample: int
    outcome: str
    reason: str
    instruction: str
    response: str
    completion: str
    passage: str
    source: str
    page: int | None
    heading: str
    decision: Decision = ""
    why: str = ""
    edited: bool = False
    score: int | None = None
    tags: str = ""
    note: str = ""
    evidence_start: int | None = None
    evidence_end: int | None = None
    reread: str = ""
    reasoning: str = ""

    @property
    def kept(self) -> bool:
        """Whether it goes into the dataset."""
        return (self.decision or self.outcome) == "accepted"


_OF_SHOWN = Columns(
    **{
        field.name: {
            **dict.fromkeys(("id", "passage_id", "sample", "edited"), "whole"),
            **dict.fromkeys(("page", "score", "evidence_start", "evidence_end"), "whole?"),
            **dict.fromkeys(
                (
                    *("task", "outcome", "reason", "instruction", "response", "completion"),
                    *("passage", "source", "heading", "decision", "why", "tags", "note"),
                    *("reread", "reasoning"),
                ),
                "text",
            ),
        }.get(field.name, "any")
        for field in fields(Shown)
    }
)
_OF_KEYS, _OF_DOCUMENTS = Columns(id="whole"), Columns(id="whole", source="text")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to look at; a field that is empty does not filter.

    `decision` may also be "none" (a person has said nothing) or "any".
    """

    outcome: str = ""
    decision: str = ""
    task: str = ""
    documents: tuple[int, ...] = ()
    text: str = ""

    def clauses(self) -> tuple[list[str], list[str | int]]:
        """Conditions of SQL, and their values."""
        where, values = ["s.outcome != 'pending'"], list[str | int]()
        if self.outcome:
            where, values = ["s.outcome = ?"], [self.outcome]
        decided, decision = of_decision(self.decision)
        where += decided
        values += decision
        if self.task:
            where.append("s.task = ?")
            values.append(self.task)
        if self.documents:
            where.append(f"p.document IN ({', '.join('?' * len(self.documents))})")
            values += self.documents
        if self.text:
            like = "%" + _WILD.sub(r"!\1", self.text) + "%"
            fields = ("s.instruction", "s.response", "p.text", "r.instruction", "r.response")
            either = " OR ".join(f"{field} LIKE ? ESCAPE '!'" for field in fields)
            where.append(f"({either})")
            values += [like] * len(fields)
        return where, values


class Rows(Chooser):
    """Reads a job's rows; others may write to it meanwhile."""

    def first(self, wanted: Filter, count: int) -> list[int]:
        """The numbers of the first rows of a filter."""
        sql, values = _select(wanted)
        with self.errors():
            found = self._db.execute(f"{sql} ORDER BY s.id LIMIT ?", (*values, count))
            return [key for (key,) in found]

    def numbers(
        self, wanted: Filter, stop: Callable[[], bool] = lambda: False
    ) -> array[int] | None:
        """The numbers of all rows of a filter, in order; None once `stop()`."""
        sql, values = _select(wanted)
        if wanted == Filter(outcome="accepted"):
            # Their index is a small part of the table; it is for this very condition.
            sql = (
                "SELECT s.id FROM samples s INDEXED BY samples_digest WHERE s.outcome = 'accepted'"
            )
            values = []
        found: array[int] = array("q")
        with self.errors():
            cursor = self._db.execute(f"{sql} ORDER BY s.id", values)
            while page := cursor.fetchmany(_FETCH):
                if stop():
                    return None
                found.extend(_OF_KEYS.check(row)[0] for row in page)
        return found

    def page(self, numbers: Sequence[int]) -> list[Shown]:
        """The rows of these numbers, in order."""
        marks = ", ".join("?" * len(numbers))
        sql = f"SELECT {_COLUMNS} FROM samples s {_REVIEW} {_PLACE} WHERE s.id IN ({marks})"  # noqa: S608
        with self.errors():
            rows = self._db.execute(f"{sql} ORDER BY s.id", tuple(numbers)).fetchall()
            return [_shown(_OF_SHOWN.check(row)) for row in rows]

    def latest(self, count: int) -> list[Shown]:
        """About the rows that ended last, the last one first: those before what is pending."""
        with self.errors():
            found = self._db.execute(
                """SELECT id FROM samples WHERE outcome = 'pending'
                   ORDER BY passage, task, sample LIMIT 1"""
            ).fetchone()
            # What the engine has at once may end in any order.
            before = found[0] + 4 * count if found else 1 << 62
            numbers = self._db.execute(
                """SELECT id FROM samples WHERE id < ? AND outcome != 'pending'
                   ORDER BY id DESC LIMIT ?""",
                (before, count),
            ).fetchall()
        return self.page([key for (key,) in numbers])[::-1]

    def documents(self) -> list[tuple[int, str]]:
        """The documents of the job, by name: number and name."""
        with self.errors():
            rows = self._db.execute("SELECT id, source FROM documents ORDER BY source").fetchall()
            return [(key, source) for key, source in map(_OF_DOCUMENTS.check, rows)]

    def around(self, passage: int, count: int = 3) -> list[tuple[int, str]]:
        """A passage and its neighbours in its document: number and text."""
        with self.errors():
            return self._db.execute(
                """SELECT id, text FROM passages WHERE id BETWEEN ? AND ? AND document =
                   (SELECT document FROM passages WHERE id = ?) ORDER BY id""",
                (passage - count, passage + count, passage),
            ).fetchall()


def _select(wanted: Filter) -> tuple[str, list[str | int]]:
    where, values = wanted.clauses()
    joins = (_REVIEW if wanted.decision or wanted.text else "") + (
        " JOIN passages p ON p.id = s.passage" if wanted.documents or wanted.text else ""
    )
    return f"SELECT s.id FROM samples s {joins} WHERE {' AND '.join(where)}", values  # noqa: S608


def _shown(row: Sequence[object]) -> Shown:
    values = list(row)
    values[15] = bool(values[15])
    return Shown(*values)  # type: ignore[arg-type]
