"""Duplicates: which rows of a job, and of other jobs, say the same.

Of rows that are alike the one planned first is kept, whatever order they come in: a row is a
duplicate where one before it passes the checks and is like it, be that one a duplicate too. So a
job that was stopped and goes on ends like one that ran through. Nothing is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bonito_local.checks.sketch import HASHES, Sketch, alike, likeness
from bonito_local.jobs.columns import Columns, check_hashes
from bonito_local.jobs.journal import Journal
from bonito_local.tasks import Pair

SAME, NEAR, ELSEWHERE = "same row", "nearly the same row", "in another job"
_PAGE = 256
_OF_REJECTED = Columns(id="whole", instruction="text", response="text", passage="text")


@dataclass(frozen=True, slots=True)
class Known:
    """A row of another job: its digest and its sketch, without its text."""

    digest: bytes
    sketch: Sketch


class Likeness(Journal):
    """The part of a job's database that tells duplicates."""

    def find_duplicates(
        self, number: int, digest: bytes | None, sketch: Sketch | None
    ) -> tuple[str, dict[int, str]]:
        """Compare a row that passes the checks with what is held. Call in a transaction.

        Returns why it is a duplicate, or "", and the later rows that are duplicates of it.
        """
        held = self._db.execute(
            "SELECT id FROM samples WHERE digest = ? AND outcome = 'accepted' AND id != ?",
            (digest, number),
        ).fetchall()
        if any(other < number for (other,) in held):
            return SAME, {}
        later = {other: SAME for (other,) in held}
        if self._db.execute("SELECT 1 FROM sketches WHERE digest = ?", (digest,)).fetchone():
            return ELSEWHERE, later
        if sketch is None:
            return "", later
        like = [other for other in self._like(sketch) if other != number]
        self._keep(sketch, number)
        later = dict.fromkeys((o for o in like if o and o > number), NEAR) | later
        if None in like:
            return ELSEWHERE, later
        return NEAR if any(other < number for other in like if other) else "", later

    def set_elsewhere(self, mark: str, rows: Iterable[Known], least: float) -> int:
        """Hold the rows of other jobs, in place of those held before, and look for them here.

        Rows `least` alike are the same.
        `mark` is kept as `elsewhere`. Returns how many rows of this job became duplicates.
        """
        found = 0
        with self.transaction():
            self._db.execute(
                "DELETE FROM sketch_keys WHERE sketch IN "
                "(SELECT id FROM sketches WHERE sample IS NULL)"
            )
            self._db.execute("DELETE FROM sketches WHERE sample IS NULL")
            for row in rows:
                self._keep(row.sketch, None, row.digest)
            for number, digest, sketch in self._accepted(least):
                same = self._db.execute("SELECT 1 FROM sketches WHERE digest = ?", (digest,))
                if same.fetchone() or (sketch and None in self._like(sketch)):
                    self._db.execute(
                        "UPDATE samples SET outcome = 'duplicate', reason = ? WHERE id = ?",
                        (ELSEWHERE, number),
                    )
                    found += 1
            self.save("elsewhere", mark)
        return found

    def reject(self, test: Callable[[Pair, str], bool], reason: str) -> int:
        """Reject accepted rows that a test of the row and its passage finds; return how many."""
        after = found = 0
        with self.transaction():
            while page := self._db.execute(
                """SELECT s.id, s.instruction, s.response, p.text
                   FROM samples s JOIN passages p ON p.id = s.passage
                   WHERE s.outcome = 'accepted' AND s.id > ? ORDER BY s.id LIMIT ?""",
                (after, _PAGE),
            ).fetchall():
                for number, instruction, response, passage in map(_OF_REJECTED.check, page):
                    if test(Pair(instruction, response), passage):
                        self._db.execute(
                            "UPDATE samples SET outcome = 'rejected', reason = ? WHERE id = ?",
                            (reason, number),
                        )
                        found += 1
                after = page[-1][0]
        return found

    def forget_sketches(self, outcome: str) -> None:
        """Drop the sketches of samples that ended so. Call in a transaction."""
        these = "SELECT k.id FROM sketches k JOIN samples s ON s.id = k.sample WHERE s.outcome = ?"
        self._db.execute(f"DELETE FROM sketch_keys WHERE sketch IN ({these})", (outcome,))  # noqa: S608
        self._db.execute(f"DELETE FROM sketches WHERE id IN ({these})", (outcome,))  # noqa: S608

    def _accepted(self, least: float) -> Iterator[tuple[int, bytes, Sketch | None]]:
        after = 0
        while page := self._db.execute(
            """SELECT s.id, s.digest, k.own, k.passage, k.id
               FROM samples s LEFT JOIN sketches k ON k.sample = s.id
               WHERE s.outcome = 'accepted' AND s.id > ? ORDER BY s.id LIMIT ?""",
            (after, _PAGE),
        ).fetchall():
            for number, digest, own, about, key in page:
                if key:
                    check_hashes("own", own, HASHES)
                    check_hashes("passage", about, 0, HASHES)
                keys = self._db.execute("SELECT key FROM sketch_keys WHERE sketch = ?", (key,))
                held = tuple(k for (k,) in keys)
                sketch = Sketch(own, about, held, least) if key else None
                yield number, digest, sketch
            after = page[-1][0]

    def _like(self, sketch: Sketch) -> list[int | None]:
        """The samples that are like a row; None for a row of another job."""
        marks = ", ".join("?" * len(sketch.keys))
        found = self._db.execute(
            f"""SELECT sample, own, passage FROM sketches WHERE id IN
                (SELECT sketch FROM sketch_keys WHERE key IN ({marks}))""",  # noqa: S608
            sketch.keys,
        ).fetchall()
        for _, own, about in found:
            check_hashes("own", own, len(sketch.own))
            check_hashes("passage", about, 0, len(sketch.own))
        # Many may share a key; those whose own text is not like this one's are out at once.
        near = [found[at] for at in alike(sketch, [own for _, own, _ in found])]
        return [
            sample for sample, own, about in near if likeness(sketch, own, about) >= sketch.least
        ]

    def _keep(self, sketch: Sketch, number: int | None, digest: bytes | None = None) -> None:
        if number is not None:
            self._db.execute(
                """DELETE FROM sketch_keys WHERE sketch IN
                   (SELECT id FROM sketches WHERE sample = ?)""",
                (number,),
            )
            self._db.execute("DELETE FROM sketches WHERE sample = ?", (number,))
        key = self._db.execute(
            "INSERT INTO sketches (sample, digest, own, passage) VALUES (?, ?, ?, ?)",
            (number, digest, sketch.own, sketch.passage),
        ).lastrowid
        self._db.executemany(
            "INSERT OR IGNORE INTO sketch_keys VALUES (?, ?)", [(k, key) for k in sketch.keys]
        )
