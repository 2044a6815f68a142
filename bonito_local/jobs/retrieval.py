"""Retrieval: whether a row's question leads back to its own passage among all of the job's.

A question that is clear without its page finds its passage by a plain search; "What is the name of
the document?" finds any other as well. The search is SQLite's FTS5 with BM25; the index holds no
second copy of the text.
"""

from __future__ import annotations

from dataclasses import dataclass

from bonito_local.checks.text import FUNCTION_WORDS, words
from bonito_local.jobs.journal import Journal

UNFINDABLE = "question does not lead to its passage"
RANK = "retrieval_rank"  # its name among a row's scores
_BATCH = 2000  # passages indexed in one transaction
_MOST_TERMS = 24


@dataclass(frozen=True, slots=True)
class Search:
    """A row's question, and the last place among the results that its passage may have."""

    question: str
    most: int


class Retrieval(Journal):
    """The part of a job's database that searches its passages."""

    def index_passages(self) -> None:
        """Index the passages that were planned since the last call."""
        while True:
            with self.transaction():
                indexed = self.load("indexed") or 0
                rows = self._db.execute(
                    "SELECT id, text FROM passages WHERE id > ? ORDER BY id LIMIT ?",
                    (indexed, _BATCH),
                ).fetchall()
                if not rows:
                    return
                self._db.executemany("INSERT INTO passage_words (rowid, text) VALUES (?, ?)", rows)
                self.save("indexed", rows[-1][0])

    def leads_back(self, sample: int, search: Search) -> bool:
        """Return whether a sample's question finds its passage, and keep its rank as a score.

        The rank counts from 1 on; one more than `search.most` stands for every place behind it,
        and for a question without a word to search for. Among no more than `search.most` passages
        nothing is searched. Call in a transaction.
        """
        (count,) = self._db.execute("SELECT value FROM totals WHERE name = 'passages'").fetchone()
        if count <= search.most:
            return True
        (passage,) = self._db.execute(
            "SELECT passage FROM samples WHERE id = ?", (sample,)
        ).fetchone()
        query = _query(search.question)
        results = (
            self._db.execute(
                "SELECT rowid FROM passage_words WHERE passage_words MATCH ? ORDER BY rank LIMIT ?",
                (query, search.most),
            ).fetchall()
            if query
            else []
        )
        places = {rowid: place for place, (rowid,) in enumerate(results, 1)}
        rank = places.get(passage, search.most + 1)
        self._db.execute(
            "INSERT OR REPLACE INTO scores SELECT id, attempt, ?, ? FROM samples WHERE id = ?",
            (RANK, rank, sample),
        )
        return rank <= search.most


def _query(question: str) -> str:
    """The words of a question that say what it is about, as alternatives in FTS5's syntax."""
    terms = dict.fromkeys(word for word in words(question) if word not in FUNCTION_WORDS)
    quoted = ['"' + term.replace('"', "") + '"' for term in list(terms)[:_MOST_TERMS]]
    return " OR ".join(quoted)
