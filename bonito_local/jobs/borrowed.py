"""Samples that ask an accepted row's question of another passage, as the job's database holds them.

Such a sample is one of its own, of that passage and task type; `question_of` names the row, whose
text is not kept twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bonito_local.jobs.columns import Columns
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.progress import Stop

FIRST = 1_000_000  # their numbers among a passage's samples: n never comes so far
_NEAR = 3  # passages before and behind the row's
_PAGE = 256
_SPREAD = "(s.id * 2654435761) % 4294967296"  # rows from all over the documents, always the same
_OF_ROWS = Columns(
    passage="whole", document="whole", task="text", instruction="text", response="text", text="text"
)


@dataclass(frozen=True, slots=True)
class Answered:
    """A row: its texts, and the passage that answers it."""

    instruction: str
    response: str
    passage: str


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A sample without an outcome that asks `row`'s question of a passage.

    `source` and `heading` are where the passage stands. `row` is None where it was left out since.
    """

    id: int
    task: str
    passage: str
    source: str
    heading: str
    row: Answered | None


Choose = Callable[[Answered, Sequence[tuple[int, str]]], int | None]


class Borrowing(Journal):
    """The part of a job's database that plans such samples and yields them."""

    def plan_borrowed(
        self, tasks: Sequence[str], share: float, choose: Choose, stop: Stop = lambda: False
    ) -> None:
        """Plan them up to a share of the accepted rows of these tasks, each row at most once.

        `choose` picks the passage for a row among those near it, each with its number, or none.
        """
        these = f"s.task IN ({', '.join('?' * len(tasks))})"
        with self.errors():
            rows, held = self._db.execute(
                f"""SELECT total(s.outcome = 'accepted' AND s.question_of IS NULL),
                    total(s.question_of IS NOT NULL) FROM samples s WHERE {these}""",  # noqa: S608
                tuple(tasks),
            ).fetchone()
            numbers = self._db.execute(
                f"""SELECT s.id FROM samples s
                    WHERE {these} AND s.outcome = 'accepted' AND s.question_of IS NULL AND s.id
                        NOT IN (SELECT question_of FROM samples WHERE question_of IS NOT NULL)
                    ORDER BY {_SPREAD}""",  # noqa: S608
                tuple(tasks),
            ).fetchall()
        missing = round(share * rows) - int(held)
        for at in range(0, len(numbers), _PAGE):
            if missing <= 0 or stop():
                return
            with self.transaction():
                for (number,) in numbers[at : at + _PAGE]:
                    missing -= missing > 0 and self._borrow(number, choose)

    def _borrow(self, number: int, choose: Choose) -> bool:
        """Plan a sample with a row's question; return whether a passage was found for it."""
        found = self._row(number)
        if found is None:
            return False
        passage, document, task, row = found
        near = self._db.execute(
            """SELECT id, text FROM passages
               WHERE document = ? AND id BETWEEN ? AND ? AND id != ? ORDER BY id""",
            (document, passage - _NEAR, passage + _NEAR, passage),
        ).fetchall()
        other = choose(row, near)
        if other is None:
            return False
        self._db.execute(
            """INSERT INTO samples (passage, task, sample, question_of)
               SELECT ?1, ?2, coalesce(max(sample) + 1, ?3), ?4 FROM samples
               WHERE passage = ?1 AND task = ?2 AND sample >= ?3""",
            (other, task, FIRST, number),
        )
        return True

    def _row(self, number: int) -> tuple[int, int, str, Answered] | None:
        """The passage's number, its document's, task type and texts of a row that is kept."""
        found = self._db.execute(
            """SELECT s.passage, p.document, s.task, coalesce(r.instruction, s.instruction),
                      coalesce(r.response, s.response), p.text
               FROM samples s JOIN passages p ON p.id = s.passage
                    LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
               WHERE s.id = ? AND coalesce(nullif(r.decision, ''), s.outcome) = 'accepted'""",
            (number,),
        ).fetchone()
        if found is None:
            return None
        passage, document, task, *texts = _OF_ROWS.check(found)
        return passage, document, task, Answered(*texts)

    def borrowed(self) -> Iterator[Borrowed]:
        """Yield such samples that have no outcome, those of a passage together."""
        after = (0, 0)
        while True:
            with self.errors():
                page = self._db.execute(
                    """SELECT s.passage, s.id, s.question_of, s.task, p.text, d.source, p.heading
                       FROM samples s JOIN passages p ON p.id = s.passage
                            JOIN documents d ON d.id = p.document
                       WHERE s.outcome = 'pending' AND s.question_of IS NOT NULL
                             AND (s.passage, s.id) > (?, ?)
                       ORDER BY s.passage, s.id LIMIT ?""",
                    (*after, _PAGE),
                ).fetchall()
                rows = [self._row(number) for _, _, number, *_ in page]
            for (_, key, _, task, text, source, heading), row in zip(page, rows, strict=True):
                yield Borrowed(key, task, text, source, heading, row[-1] if row else None)
            if not page:
                return
            after = page[-1][:2]
