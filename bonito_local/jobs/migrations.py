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
    (
        "0002_counts",
        (
            # The ledger, kept by triggers: counting millions of samples takes seconds.
            """CREATE TABLE counts (
                task TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
                samples INTEGER NOT NULL, PRIMARY KEY (task, outcome, reason)) WITHOUT ROWID""",
            """INSERT INTO counts
                SELECT task, outcome, reason, count(*) FROM samples GROUP BY 1, 2, 3""",
            # Not an upsert: the outer statement's OR IGNORE would decide what happens in it.
            """CREATE TRIGGER samples_added AFTER INSERT ON samples BEGIN
                INSERT OR IGNORE INTO counts VALUES (NEW.task, NEW.outcome, NEW.reason, 0);
                UPDATE counts SET samples = samples + 1
                    WHERE task = NEW.task AND outcome = NEW.outcome AND reason = NEW.reason;
                END""",
            """CREATE TRIGGER samples_ended AFTER UPDATE OF task, outcome, reason ON samples BEGIN
                UPDATE counts SET samples = samples - 1
                    WHERE task = OLD.task AND outcome = OLD.outcome AND reason = OLD.reason;
                INSERT OR IGNORE INTO counts VALUES (NEW.task, NEW.outcome, NEW.reason, 0);
                UPDATE counts SET samples = samples + 1
                    WHERE task = NEW.task AND outcome = NEW.outcome AND reason = NEW.reason;
                END""",
            """CREATE TRIGGER samples_removed AFTER DELETE ON samples BEGIN
                UPDATE counts SET samples = samples - 1
                    WHERE task = OLD.task AND outcome = OLD.outcome AND reason = OLD.reason;
                END""",
            "DROP INDEX samples_outcome",
            "CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
            "INSERT INTO totals SELECT 'passages', count(*) FROM passages",
            """CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
                UPDATE totals SET value = value + 1 WHERE name = 'passages';
                END""",
        ),
    ),
    (
        "0003_running",
        (
            # A sample asked for again is drawn with another seed, derived from `attempt`.
            "ALTER TABLE samples ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0",
            # How samples ended before they were asked for again.
            """CREATE TABLE earlier (
                id INTEGER PRIMARY KEY,
                sample INTEGER NOT NULL REFERENCES samples (id),
                attempt INTEGER NOT NULL,
                outcome TEXT NOT NULL,
                reason TEXT NOT NULL,
                completion TEXT)""",
            # Documents whose every passage is planned, as they were then, and what was wrong.
            """CREATE TABLE readings (
                source TEXT PRIMARY KEY,
                bytes INTEGER NOT NULL,
                modified INTEGER NOT NULL,
                manner TEXT NOT NULL,
                problems TEXT NOT NULL)""",
            # One row for each time a process worked on the job; `state` stays "running" where
            # that process never came to say how it ended.
            """CREATE TABLE runs (
                id INTEGER PRIMARY KEY,
                pid INTEGER NOT NULL,
                backend TEXT NOT NULL,
                detached INTEGER NOT NULL,
                started REAL NOT NULL,
                ended REAL,
                state TEXT NOT NULL DEFAULT 'running',
                error TEXT NOT NULL DEFAULT '',
                remedy TEXT NOT NULL DEFAULT '')""",
            # What is asked for, what the user wants of the worker, and how far it is.
            "CREATE TABLE live (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        ),
    ),
    (
        "0004_review",
        (
            # What a person said of a sample's text, as of its `attempt`; NULL texts are as drawn.
            """CREATE TABLE reviews (
                sample INTEGER PRIMARY KEY REFERENCES samples (id),
                attempt INTEGER NOT NULL,
                decision TEXT NOT NULL CHECK (decision IN ('', 'accepted', 'rejected')),
                reason TEXT NOT NULL,
                instruction TEXT,
                response TEXT,
                score INTEGER,
                tags TEXT NOT NULL,
                note TEXT NOT NULL,
                at REAL NOT NULL)""",
            # What a step of the review replaced (JSON; NULL: nothing), to undo it.
            """CREATE TABLE review_log (
                id INTEGER PRIMARY KEY, step INTEGER NOT NULL,
                sample INTEGER NOT NULL REFERENCES samples (id), before TEXT)""",
            "CREATE INDEX review_log_step ON review_log (step)",
        ),
    ),
    (
        "0005_likeness",
        (
            # Hashes of rows that passed the checks, to find those that are nearly the same; of
            # rows of other jobs (sample NULL) the digest too.
            """CREATE TABLE sketches (
                id INTEGER PRIMARY KEY,
                sample INTEGER UNIQUE REFERENCES samples (id),
                digest BLOB,
                own BLOB NOT NULL,
                passage BLOB NOT NULL)""",
            "CREATE INDEX sketches_digest ON sketches (digest) WHERE digest IS NOT NULL",
            """CREATE TABLE sketch_keys (
                key INTEGER NOT NULL, sketch INTEGER NOT NULL,
                PRIMARY KEY (key, sketch)) WITHOUT ROWID""",
            "CREATE INDEX sketch_keys_sketch ON sketch_keys (sketch)",
        ),
    ),
    (
        "0006_scores",
        (
            # What a model thinks of a sample's text, as of its `attempt`.
            """CREATE TABLE scores (
                sample INTEGER NOT NULL REFERENCES samples (id),
                attempt INTEGER NOT NULL,
                name TEXT NOT NULL,
                value REAL NOT NULL,
                PRIMARY KEY (sample, name)) WITHOUT ROWID""",
        ),
    ),
    (
        "0007_passages",
        (
            "ALTER TABLE passages ADD COLUMN language TEXT NOT NULL DEFAULT ''",
            # Hashes of passages by the hash of their text, to find those that are nearly the same.
            """CREATE TABLE passage_sketches (
                id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, own BLOB NOT NULL)""",
            """CREATE TABLE passage_keys (
                key INTEGER NOT NULL, sketch INTEGER NOT NULL,
                PRIMARY KEY (key, sketch)) WITHOUT ROWID""",
        ),
    ),
    (
        "0008_retrieval",
        (
            # An index of the passages' words; their text stays where it is.
            """CREATE VIRTUAL TABLE passage_words USING fts5(
                text, content = 'passages', content_rowid = 'id',
                tokenize = 'porter unicode61 remove_diacritics 2')""",
        ),
    ),
    (
        "0009_evidence",
        (
            # Where in the passage the sentence stands that a row is about.
            "ALTER TABLE samples ADD COLUMN evidence_start INTEGER",
            "ALTER TABLE samples ADD COLUMN evidence_end INTEGER",
            # What the row's question was answered when it was asked again.
            "ALTER TABLE samples ADD COLUMN reread TEXT",
        ),
    ),
    (
        "0010_borrowed",
        (
            # The accepted sample whose question this one asks of its own passage.
            "ALTER TABLE samples ADD COLUMN question_of INTEGER REFERENCES samples (id)",
            """CREATE INDEX samples_question_of ON samples (question_of)
                WHERE question_of IS NOT NULL""",
        ),
    ),
    (
        "0011_reasoning",
        (
            # What led a second reading to the row's answer.
            "ALTER TABLE samples ADD COLUMN reasoning TEXT",
        ),
    ),
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a store, new or old, to the newest schema; each step with its record, or not at all.

    Raises:
        JobError: the store was written by a newer version.
    """
    # Read first: to look at a store that another process writes to must not wait for it.
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone():
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
        # Another process may have taken this step since.
        if db.execute("SELECT 1 FROM migrations WHERE name = ?", (name,)).fetchone():
            db.execute("ROLLBACK")
            continue
        try:
            for statement in statements:
                db.execute(statement)
            db.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (name,))
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
