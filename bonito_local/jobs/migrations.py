"""The job store's schema, as steps that never change once shipped."""

from __future__ import annotations

import sqlite3

from bonito_local.errors import JobError

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001_job",
        (
            # One row for each thing all rows of the job share; the value is JSON.
            "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
            """CREATE TABLE documents (
                id INTEGER PRIMARY KEY,
                source TEXT NOT NULL,
                sha256 TEXT NOT NULL,
                UNIQUE (source, sha256))""",
            # The documents the last planning could not read.
            """CREATE TABLE problems (
                source TEXT NOT NULL, title TEXT NOT NULL, remedy TEXT NOT NULL)""",
            # A text that stands in several places is one passage; where it was first met is kept.
            """CREATE TABLE passages (
                id INTEGER PRIMARY KEY,
                hash TEXT NOT NULL UNIQUE,
                text TEXT NOT NULL,
                document INTEGER NOT NULL REFERENCES documents (id),
                page INTEGER,
                start INTEGER NOT NULL,
                "end" INTEGER NOT NULL,
                heading TEXT NOT NULL)""",
            # One row for each passage x task x sample: the ledger is a count over it.
            """CREATE TABLE samples (
                id INTEGER PRIMARY KEY,
                passage INTEGER NOT NULL REFERENCES passages (id),
                task TEXT NOT NULL,
                sample INTEGER NOT NULL,
                outcome TEXT NOT NULL DEFAULT 'pending' CHECK (outcome IN
                    ('pending', 'accepted', 'unparseable', 'rejected', 'duplicate', 'failed')),
                reason TEXT NOT NULL DEFAULT '',
                completion TEXT,
                instruction TEXT,
                response TEXT,
                prompt_tokens INTEGER,
                completion_tokens INTEGER,
                digest BLOB,
                UNIQUE (passage, task, sample))""",
            "CREATE INDEX samples_outcome ON samples (task, outcome, reason)",
            """CREATE INDEX samples_pending ON samples (passage, task, sample)
                WHERE outcome = 'pending'""",
            "CREATE UNIQUE INDEX samples_digest ON samples (digest) WHERE outcome = 'accepted'",
        ),
    ),
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a store, new or old, to the newest schema; each step with its record, or not at all.

    Raises:
        JobError: the store was written by a newer version.
    """
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied TEXT)")
    db.execute("COMMIT")
    applied = {name for (name,) in db.execute("SELECT name FROM migrations")}
    if applied - {name for name, _ in MIGRATIONS}:
        raise JobError(
            "The job was made by a newer version of bonito-local.",
            "Update bonito-local, or write to another folder.",
        )
    for name, statements in MIGRATIONS:
        if name in applied:
            continue
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (name,))
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
