import sqlite3
from pathlib import Path

import pytest

from bonito_local.errors import JobError
from bonito_local.jobs import migrations
from bonito_local.jobs.migrations import MIGRATIONS, migrate


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "db.sqlite", isolation_level=None)


def names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM migrations ORDER BY name")]


def test_twice_is_once(db: sqlite3.Connection) -> None:
    migrate(db)
    db.execute("INSERT INTO settings VALUES ('a', '1')")
    migrate(db)
    assert names(db) == [name for name, _ in MIGRATIONS]
    assert db.execute("SELECT * FROM settings").fetchall() == [("a", "1")]


def test_a_step_that_fails_leaves_nothing(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ("9999_broken", ("CREATE TABLE half (a)", "CREATE TABLE half (b)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(db)
    assert names(db) == [name for name, _ in MIGRATIONS]
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall()
    assert not db.in_transaction


def test_an_old_store_takes_the_steps_it_lacks(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(db)
    later = ("9999_later", ("ALTER TABLE settings ADD COLUMN note TEXT",))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, later))
    migrate(db)
    assert names(db)[-1] == "9999_later"
    assert [c[1] for c in db.execute("PRAGMA table_info(settings)")] == [
        "name",
        "value",
        "note",
    ]


def test_a_store_of_a_newer_version_is_left_alone(db: sqlite3.Connection) -> None:
    migrate(db)
    db.execute("INSERT INTO migrations VALUES ('9999_future', '')")
    with pytest.raises(JobError, match="newer version"):
        migrate(db)


def test_a_store_of_the_first_version_is_counted_once(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", MIGRATIONS[:1])
    migrate(db)
    db.execute("INSERT INTO documents VALUES (1, 'a', 'b')")
    for at in range(1, 4):
        values = (at, str(at), "text", 1, None, 0, 4, "")
        db.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        for sample in range(2):
            db.execute(
                "INSERT INTO samples (passage, task, sample) VALUES (?, 'qa', ?)", (at, sample)
            )
    db.execute("UPDATE samples SET outcome = 'rejected', reason = 'why' WHERE sample = 1")
    monkeypatch.undo()
    migrate(db)
    counted = "SELECT task, outcome, reason, count(*) FROM samples GROUP BY 1, 2, 3"
    kept = "SELECT * FROM counts WHERE samples ORDER BY 1, 2, 3"
    assert db.execute(kept).fetchall() == [("qa", "pending", "", 3), ("qa", "rejected", "why", 3)]
    db.execute("INSERT OR IGNORE INTO samples (passage, task, sample) VALUES (1, 'qa', 0)")
    db.execute("INSERT OR IGNORE INTO samples (passage, task, sample) VALUES (1, 'te', 0)")
    db.execute(
        "UPDATE samples SET outcome = 'failed', reason = 'x' WHERE sample = 0 AND passage = 2"
    )
    db.execute("UPDATE samples SET outcome = 'pending', reason = '' WHERE outcome = 'rejected'")
    db.execute("DELETE FROM samples WHERE passage = 3")
    assert db.execute(kept).fetchall() == db.execute(counted).fetchall()
    assert db.execute("SELECT value FROM totals").fetchall() == [(3,)]
