"""What a person decides about the rows of a job: kept beside them, and each step can be undone.

A decision is about the text that was there: a sample that is asked for again has none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.jobs.database import storable
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.rows import Decision, Rows

REASONS = ("wrong answer", "unclear", "not in the passage", "too easy", "private", "other")
_FIELDS = ("attempt", "decision", "reason", "instruction", "response", "score", "tags", "note")
_MAY_BE_NULL = ("instruction", "response", "score")
_NAMES = ", ".join(_FIELDS)
_PART = 20_000  # rows changed in one transaction
_ENDED = """FROM temp.chosen c JOIN samples s ON s.id = c.id
    LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
    WHERE s.outcome != 'pending'"""
_WITH_TEXT = f"""{_ENDED} AND coalesce(r.instruction, s.instruction) != ''
    AND coalesce(r.response, s.response) != ''"""


class Review(Rows):
    """Reads and keeps decisions."""

    def decide(self, numbers: Iterable[int], decision: Decision, reason: str = "") -> int:
        """Accept or reject rows, or take that back with ""; return how many were.

        Rows without text (what the model wrote did not parse) are passed over when accepting.

        Raises:
            JobError: none of them could be accepted.
        """
        fields = {"decision": decision, "reason": storable(reason)}
        asked, done = self._change(numbers, fields, only_text=decision == "accepted")
        if asked and not done:
            raise JobError(
                "The row has no instruction and response."
                if asked == 1
                else "None of these rows has an instruction and a response.",
                "Edit it: then it can be accepted.",
            )
        return done

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
        with self.errors():
            (step,) = self._db.execute("SELECT max(step) FROM review_log").fetchone()
        undone: list[int] = []
        while part := self._undo_part(step):
            undone += part
        return undone

    def _undo_part(self, step: int) -> list[int]:
        """Take back a part of a step, like it was done; return the numbers of its rows."""
        values = ", ".join(f"json_extract(before, '$.{name}')" for name in _FIELDS)
        with self.transaction():
            ids = "SELECT id FROM review_log WHERE step = ? ORDER BY id LIMIT ?"
            (last,) = self._db.execute(f"SELECT max(id) FROM ({ids})", (step, _PART)).fetchone()  # noqa: S608
            self._db.execute(
                """DELETE FROM reviews WHERE sample IN (SELECT sample FROM review_log
                   WHERE step = ? AND id <= ? AND before IS NULL)""",
                (step, last),
            )
            self._db.execute(
                f"""INSERT OR REPLACE INTO reviews (sample, {_NAMES}, at)
                    SELECT sample, {values}, ? FROM review_log
                    WHERE step = ? AND id <= ? AND before IS NOT NULL""",  # noqa: S608
                (time.time(), step, last),
            )
            gone = self._db.execute(
                "DELETE FROM review_log WHERE step = ? AND id <= ? RETURNING sample", (step, last)
            ).fetchall()
        return [sample for (sample,) in gone]

    def _change(
        self, numbers: Iterable[int], fields: Mapping[str, object], *, only_text: bool = False
    ) -> tuple[int, int]:
        """Give rows other values, as one step; with `only_text` those that have a text.

        Rows that are not there, or have not ended, are passed over. Returns how many there
        were, and how many were changed. Many are committed in parts, so that a job at work on
        the same store does not wait long.
        """
        asked = done = 0
        step: int | None = None
        each = iter(numbers)
        while part := list(islice(each, _PART)):
            with self.transaction():
                if step is None:
                    found = self._db.execute("SELECT coalesce(max(step), 0) FROM review_log")
                    step = found.fetchone()[0] + 1
                done += self._change_part(part, fields, only_text, step)
            asked += len(part)
        return asked, done

    def _change_part(
        self, part: Sequence[int], fields: Mapping[str, object], only_text: bool, step: int
    ) -> int:
        db = self._db
        db.execute("CREATE TEMP TABLE IF NOT EXISTS chosen (id INTEGER PRIMARY KEY)")
        db.execute("DELETE FROM temp.chosen")
        db.executemany("INSERT OR IGNORE INTO temp.chosen VALUES (?)", [(key,) for key in part])
        able = _WITH_TEXT if only_text else _ENDED
        before = ", ".join(f"'{name}', b.{name}" for name in _FIELDS)
        db.execute(
            f"""INSERT INTO review_log (step, sample, before)
                SELECT ?, id, CASE WHEN b.sample IS NOT NULL THEN json_object({before}) END
                FROM (SELECT c.id {able}) LEFT JOIN reviews b ON b.sample = id
                ORDER BY id""",  # noqa: S608
            (step,),
        )
        # What was said of an earlier attempt was about another text: `r` is then nothing.
        values = ["s.attempt"]
        for name in _FIELDS[1:]:
            usual = "NULL" if name in _MAY_BE_NULL else "''"
            values.append(f":{name}" if name in fields else f"coalesce(r.{name}, {usual})")
        return db.execute(
            f"""INSERT OR REPLACE INTO reviews (sample, {_NAMES}, at)
                SELECT s.id, {", ".join(values)}, :at {able} ORDER BY c.id""",
            {**fields, "at": time.time()},
        ).rowcount


def open_review(output: Path) -> Review:
    """Open the decisions about the job in `output`; a process may work on it meanwhile.

    Raises:
        JobError: there is no job.
    """
    return Review(store_path(output), create=False)
