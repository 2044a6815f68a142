"""Passages that are nearly the same: letterheads, signatures, clauses that every contract has.

Of passages that are alike the one planned first is kept. Nothing is held in memory, so a job that
goes on, or gets more documents, compares with all it has planned.
"""

from __future__ import annotations

from dataclasses import dataclass

from bonito_local.checks.sketch import Sketch, likeness, sketch
from bonito_local.jobs.columns import check_hashes
from bonito_local.jobs.database import storable
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.seeds import passage_hash
from bonito_local.passages.types import Passage, Problem
from bonito_local.tasks import Pair

ALIKE = 0.9  # of their runs of five characters that two passages have in common


@dataclass(frozen=True, slots=True)
class Repeat:
    """The document of the passage that another one repeats, and whether word for word."""

    source: str
    exactly: bool


class Repeats(Journal):
    """The part of a job's database that tells passages that repeat others."""

    def repeated(self, passage: Passage) -> Repeat | None:
        """Return the passage that this one repeats, if it does.

        A passage that repeats none is held to compare others with. One of an earlier state of
        the same document is no other passage. Call in a transaction, before it is added.
        """
        text, source = storable(passage.text).strip(), storable(passage.source)
        digest = passage_hash(text)
        same = self._db.execute(
            """SELECT d.source FROM passages p JOIN documents d ON d.id = p.document
               WHERE p.hash = ?""",
            (digest,),
        ).fetchone()
        if same:
            return Repeat(same[0], True) if same[0] != source else None
        made = sketch(Pair(text, ""), "", ALIKE)
        if (found := self._nearly(made, source, passage.source_sha256)) is not None:
            return Repeat(found, False)
        self._hold(made, digest)
        return None

    def _nearly(self, made: Sketch, source: str, sha256: str) -> str | None:
        marks = ", ".join("?" * len(made.keys))
        found = self._db.execute(
            f"""SELECT d.source, d.sha256, s.own FROM passage_sketches s
                JOIN passages p ON p.hash = s.hash JOIN documents d ON d.id = p.document
                WHERE s.id IN (SELECT sketch FROM passage_keys WHERE key IN ({marks}))
                ORDER BY s.id""",  # noqa: S608
            made.keys,
        )
        for other, digest, own in found:
            check_hashes("own", own, len(made.own))
            if (other != source or digest == sha256) and likeness(made, own, b"") >= ALIKE:
                return str(other)
        return None

    def _hold(self, made: Sketch, digest: str) -> None:
        number = self._db.execute(
            "INSERT OR IGNORE INTO passage_sketches (hash, own) VALUES (?, ?)", (digest, made.own)
        ).lastrowid
        self._db.executemany(
            "INSERT OR IGNORE INTO passage_keys VALUES (?, ?)",
            [(key, number) for key in made.keys],
        )


def told(source: str, first: str, count: int) -> Problem:
    """Say of a document how many of its passages repeat others, the first one of `first`."""
    where = "this document" if first == source else first
    title = (
        f"Left out 1 passage that repeats one of {where} almost word for word."
        if count == 1
        else f"Left out {count} passages that repeat others almost word for word, "
        f"the first one of {where}."
    )
    return Problem(source, title, "splitting.keep_repeats, or --keep-repeats, keeps them.")
