"""What a person decides about the rows of a job: kept beside them, and each step can be undone.

A decision is about the text that was there: a sample that is asked for again has none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.database import storable
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.rows import Decision, Rows

REASONS = ("wrong answer", "unclear", "not in the passage", "too easy", "private", "other")
_FIELDS = ("attempt", "decision", "reason", "instruction", "response", "score", "tags", "note")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How far the review of a job is."""

    accepted: int
    rejected: int
    edited: int


class Review(Rows):
    """Reads and keeps decisions."""

    def decide(self, numbers: Iterable[int], decision: Decision, reason: str = "") -> int:
        """Accept or reject rows, or take that back with ""; return how many were.

        Rows without text (what the model wrote did not parse) are passed over when accepting.

        Raises:
            JobError: none of them could be accepted.
        """
        wanted = list(numbers)
        if decision == "accepted":
            able = [key for key in wanted if self._has_text(key)]
            if wanted and not able:
                raise JobError(
                    "The row has no instruction and response.", "Edit it: then it can be accepted."
                )
            wanted = able
        self._change(wanted, {"decision": decision, "reason": storable(reason)})
        return len(wanted)

    def edit(self, number: int, instruction: str, response: str) -> None:
        """Put another text in place of a row's, which is kept.

        Raises:
            JobError: one of them is empty.
        """
        if not instruction.strip() or not response.strip():
            raise JobError("A row needs an instruction and a response.", "Reject it instead.")
        texts = (storable(instruction.strip()), storable(response.strip()))
        self._change([number], {"instruction": texts[0], "response": texts[1]})

    def score(self, numbers: Iterable[int], score: int | None) -> None:
        """Give rows 1 to 5, or None."""
        if score is not None and not 1 <= score <= 5:
            raise JobError(f"A score of {score}.", "Give 1 to 5.")
        self._change(numbers, {"score": score})

    def tag(self, numbers: Iterable[int], tags: str) -> None:
        """Set rows' tags: words separated by commas or blanks."""
        words = dict.fromkeys(storable(tags).replace(",", " ").split())
        self._change(numbers, {"tags": " ".join(words)})

    def note(self, number: int, note: str) -> None:
        """Set a row's note."""
        self._change([number], {"note": storable(note.strip())})

    def undo(self) -> list[int]:
        """Take back the last step; return the numbers of its rows, none if there is no step."""
        with self.transaction():
            (step,) = self._db.execute("SELECT max(step) FROM review_log").fetchone()
            steps = self._db.execute(
                "SELECT sample, before FROM review_log WHERE step = ?", (step,)
            ).fetchall()
            for sample, before in steps:
                if before is None:
                    self._db.execute("DELETE FROM reviews WHERE sample = ?", (sample,))
                else:
                    self._put(sample, json.loads(before))
            self._db.execute("DELETE FROM review_log WHERE step = ?", (step,))
        return [sample for sample, _ in steps]

    def reviewed(self) -> Reviewed:
        """How many rows were decided on."""
        with self.errors():
            found = self._db.execute(
                """SELECT total(r.decision = 'accepted'), total(r.decision = 'rejected'),
                          total(r.instruction IS NOT NULL)
                   FROM reviews r JOIN samples s ON s.id = r.sample AND s.attempt = r.attempt"""
            ).fetchone()
        return Reviewed(*map(int, found))

    def kept(self) -> Iterator[int]:
        """The numbers of the rows that go into the dataset."""
        with self.errors():
            cursor = self._db.execute(
                """SELECT s.id FROM samples s
                   LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
                   WHERE coalesce(nullif(r.decision, ''), s.outcome) = 'accepted'"""
            )
            for (number,) in cursor:
                yield number

    def _has_text(self, number: int) -> bool:
        with self.errors():
            found = self._db.execute(
                """SELECT 1 FROM samples s
                   LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
                   WHERE s.id = ? AND coalesce(r.instruction, s.instruction) != ''
                     AND coalesce(r.response, s.response) != ''""",
                (number,),
            ).fetchone()
        return found is not None

    def _change(self, numbers: Iterable[int], fields: dict[str, object]) -> None:
        with self.transaction():
            (step,) = self._db.execute("SELECT coalesce(max(step), 0) FROM review_log").fetchone()
            for number in numbers:
                (attempt,) = self._db.execute(
                    "SELECT attempt FROM samples WHERE id = ?", (number,)
                ).fetchone()
                found = self._db.execute(
                    f"SELECT {', '.join(_FIELDS)} FROM reviews WHERE sample = ?",  # noqa: S608
                    (number,),
                ).fetchone()
                before = dict(zip(_FIELDS, found, strict=True)) if found else None
                self._db.execute(
                    "INSERT INTO review_log (step, sample, before) VALUES (?, ?, ?)",
                    (step + 1, number, None if before is None else json.dumps(before)),
                )
                # What was said of an earlier attempt was about another text.
                held = before if before and before["attempt"] == attempt else {}
                self._put(number, {**_NOTHING, **held, "attempt": attempt, **fields})

    def _put(self, number: int, values: dict[str, object]) -> None:
        self._db.execute(
            f"""INSERT OR REPLACE INTO reviews (sample, {", ".join(_FIELDS)}, at)
                VALUES (?, {", ".join("?" * len(_FIELDS))}, ?)""",  # noqa: S608
            (number, *(values[field] for field in _FIELDS), time.time()),
        )


_NOTHING: dict[str, object] = dict.fromkeys(_FIELDS, "") | {
    "instruction": None,
    "response": None,
    "score": None,
}


def open_review(output: Path) -> Review:
    """Open the decisions about the job in `output`; a process may work on it meanwhile.

    Raises:
        JobError: there is no job.
    """
    return Review(store_path(output), create=False)
