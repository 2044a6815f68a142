"""Rows by the names they have in exports, and many of them changed in one step of the review."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bonito_local.exports.row import row_id
from bonito_local.jobs.database import storable
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.review import Review

# The number of a row, and the fields of its review that are to be different.
Change = tuple[int, dict[str, object]]
_NAME = re.compile(r"([0-9a-f]{16})-(.+)-(\d{1,9})(?:\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Found:
    """A row by its name: its texts now, the model's, and what was said of it.

    `pending` tells that the model has yet to write it.
    """

    id: int
    name: str
    pending: bool
    instruction: str
    response: str
    drawn_instruction: str
    drawn_response: str
    decision: str
    reason: str
    score: int | None
    tags: str
    note: str


class NamedRows(Review):
    """The review of a job, for rows that come from elsewhere."""

    def find(self, name: str) -> Found | None:
        """The row that an export named so, as it is now; its name is another if drawn again."""
        parts = _NAME.fullmatch(name)
        if parts is None:
            return None
        digest, task, sample = parts.groups()
        with self.errors():
            found = self._db.execute(
                """SELECT s.id, p.hash, s.task, s.sample, s.attempt, s.outcome = 'pending',
                          coalesce(r.instruction, s.instruction, ''),
                          coalesce(r.response, s.response, ''),
                          coalesce(s.instruction, ''), coalesce(s.response, ''),
                          coalesce(r.decision, ''), coalesce(r.reason, ''), r.score,
                          coalesce(r.tags, ''), coalesce(r.note, '')
                   FROM passages p JOIN samples s ON s.passage = p.id
                        LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
                   WHERE p.hash >= ? AND p.hash < ? AND s.task = ? AND s.sample = ?""",
                # "g" comes after every digit of a hash.
                (digest, f"{digest}g", task, int(sample)),
            ).fetchone()
        return Found(found[0], row_id(*found[1:5]), bool(found[5]), *found[6:]) if found else None

    def apply(self, changes: Iterable[Change]) -> None:
        """Change many rows in one step; if the changes end with an error, none of them."""
        with self.transaction():
            found = self._db.execute("SELECT coalesce(max(step), 0) FROM review_log")
            step = found.fetchone()[0] + 1
            for number, fields in changes:
                kept = {k: storable(v) if isinstance(v, str) else v for k, v in fields.items()}
                self._change_part([number], kept, False, step)


def open_named(output: Path) -> NamedRows:
    """Open the review of the job in `output`.

    Raises:
        JobError: there is no job.
    """
    return NamedRows(store_path(output), create=False)
