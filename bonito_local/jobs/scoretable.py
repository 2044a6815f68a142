"""Scores of a job's rows, as its database keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bonito_local.jobs.journal import Journal


@dataclass(frozen=True, slots=True)
class Unscored:
    """An accepted row that has no scores yet."""

    id: int
    attempt: int
    task: str
    passage: str
    completion: str
    instruction: str
    response: str


class Scores(Journal):
    """The part of a job's database that keeps scores."""

    def unscored(self, after: int, count: int) -> list[Unscored]:
        """The next accepted rows without scores, behind the one of id `after`."""
        with self.errors():
            found = self._db.execute(
                """SELECT s.id, s.attempt, s.task, p.text, s.completion, s.instruction, s.response
                   FROM samples s JOIN passages p ON p.id = s.passage
                   WHERE s.outcome = 'accepted' AND s.id > ? AND NOT EXISTS
                       (SELECT 1 FROM scores c WHERE c.sample = s.id AND c.attempt = s.attempt
                        AND c.name != 'retrieval_rank')
                   ORDER BY s.id LIMIT ?""",
                (after, count),
            ).fetchall()
        return [Unscored(*row) for row in found]

    def set_scores(self, rows: Iterable[tuple[Unscored, Mapping[str, float]]]) -> None:
        """Keep scores of rows."""
        with self.transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)",
                [(r.id, r.attempt, name, value) for r, of in rows for name, value in of.items()],
            )
