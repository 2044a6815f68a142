"""Which of a job's rows go into an export, read in order and one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bonito_local.jobs.journal import Journal


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows; a field that is empty does not choose.

    With neither `outcomes` nor `decision` they are the rows of the dataset: accepted by a
    person, or by the checks where no person decided. `decision` may be "accepted",
    "rejected", "any" (a person decided) or "none" (nobody did).
    """

    tasks: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    decision: str = ""

    def clauses(self) -> tuple[str, list[str]]:
        """A condition of SQL, and its values."""
        where, values = [_HAS_TEXT], list[str]()
        if self.tasks:
            where.append(f"s.task IN ({_marks(self.tasks)})")
            values += self.tasks
        if self.outcomes:
            where.append(f"s.outcome IN ({_marks(self.outcomes)})")
            values += self.outcomes
        elif self.decision in ("", "none"):
            where.append("coalesce(nullif(r.decision, ''), s.outcome) = 'accepted'")
        decided, decision = of_decision(self.decision)
        return " AND ".join(where + decided), values + decision

    def __str__(self) -> str:
        of = f" of {', '.join(self.tasks)}" if self.tasks else ""
        how = [f"by the checks {' or '.join(self.outcomes)}"] if self.outcomes else []
        how += [_DECISIONS[self.decision]] if self.decision else []
        return f"{' and '.join(how) or 'accepted by the checks or by a person'}{of}"


_DECISIONS = {
    "accepted": "accepted by a person",
    "rejected": "rejected by a person",
    "any": "decided on by a person",
    "none": "decided on by nobody",
}
DECISIONS = tuple(_DECISIONS)
_HAS_TEXT = """coalesce(r.instruction, s.instruction, '') != ''
    AND coalesce(r.response, s.response, '') != ''"""


def of_decision(decision: str) -> tuple[list[str], list[str]]:
    """Conditions of SQL for what a person said, "any" or "none" included, and their values."""
    if decision == "none":
        return ["coalesce(r.decision, '') = ''"], []
    if decision == "any":
        return ["r.decision != ''"], []
    return (["r.decision = ?"], [decision]) if decision else ([], [])


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


@dataclass(frozen=True, slots=True)
class Chosen:
    """A row with its passage, where that stands, what the checks and a person said of it."""

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
    attempt: int
    outcome: str
    reason: str
    decision: str
    decision_reason: str
    edited: bool
    score: int | None
    tags: str
    note: str


_EDITED = Chosen.__slots__.index("edited")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How far the review of a job is."""

    accepted: int
    rejected: int
    edited: int


class Chooser(Journal):
    """Reads rows for exports; others may write to the job meanwhile."""

    def chosen(self, choice: Choice | None = None) -> Iterator[Chosen]:
        """Yield the rows by passage, task and sample, whatever order they came in.

        A text that a person put in a row's place goes before the model's.
        """
        where, values = (choice or Choice()).clauses()
        with self.errors():
            cursor = self._db.execute(
                f"""SELECT coalesce(r.instruction, s.instruction), coalesce(r.response, s.response),
                          s.task, s.sample, p.text, p.hash, d.source, d.sha256,
                          p.page, p.start, p."end", p.heading, s.attempt, s.outcome, s.reason,
                          coalesce(r.decision, ''), coalesce(r.reason, ''),
                          r.instruction IS NOT NULL, r.score, coalesce(r.tags, ''),
                          coalesce(r.note, '')
                   FROM samples s JOIN passages p ON p.id = s.passage
                        JOIN documents d ON d.id = p.document
                        LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
                   WHERE {where} ORDER BY s.passage, s.task, s.sample""",  # noqa: S608
                values,
            )
            for row in cursor:
                cells: list[Any] = list(row)
                cells[_EDITED] = bool(cells[_EDITED])
                yield Chosen(*cells)

    def document_count(self) -> int:
        """Number of documents with a passage in the job."""
        with self.errors():
            (count,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        return int(count)

    def reviewed(self) -> Reviewed:
        """How many rows were decided on."""
        with self.errors():
            found = self._db.execute(
                """SELECT total(r.decision = 'accepted'), total(r.decision = 'rejected'),
                          total(r.instruction IS NOT NULL)
                   FROM reviews r JOIN samples s ON s.id = r.sample AND s.attempt = r.attempt"""
            ).fetchone()
        return Reviewed(*map(int, found))
