"""Stores that were damaged, or written by a stranger: every command ends, with one line at most."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bonito_local import airgap
from bonito_local.airgap.layers import SECCOMP
from bonito_local.checks.sketch import sketch
from bonito_local.cli.main import run
from bonito_local.errors import JobError
from bonito_local.jobs.journal import Journal, Mark
from bonito_local.jobs.likeness import ELSEWHERE
from bonito_local.jobs.repeats import ALIKE
from bonito_local.jobs.seeds import passage_hash
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Passage
from bonito_local.tasks import Pair

COMMANDS = (
    ("status", "o"),
    ("jobs",),
    ("review", "o", "--all", "--json"),
    ("export", "o", "-f", "csv"),
    ("resume", "o", "-q"),
    ("report", "o"),
    ("retry", "o", "--outcome", "rejected"),
    ("pause", "o"),
    ("coverage", "o"),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished job, with a review."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # As conftest has it for each test: nothing that entered the air gap can leave it.
        patch.setattr(airgap, "enter", lambda **_: airgap.Enforcement((SECCOMP,)))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        text = "The tenant pays rent of {} euros on each first day of a month. "
        Path("a.txt").write_text("\n\n".join(text.format(n) * 3 for n in range(3)))
        made = ["generate", "a.txt", "-t", "exqa,ynqa", "--backend", "fake", "-q", "-o", "base"]
        assert run(made) == 0
        assert run(["review", "base", "--rows", "1", "--reject"]) == 0
    return folder


def sql(*statements: str) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        db = sqlite3.connect(store)
        db.execute("PRAGMA ignore_check_constraints = 1")
        db.execute("PRAGMA foreign_keys = 0")
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    return change


def flipped(seed: int, count: int) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        draw, data = random.Random(seed), bytearray(store.read_bytes())
        for _ in range(count):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        store.write_bytes(data)

    return change


def truncated(share: float) -> Callable[[Path], None]:
    return lambda store: os.truncate(store, int(store.stat().st_size * share))


def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def change(store: Path) -> None:
        store.unlink()
        make(store)

    return change


BOMB = (
    "with recursive c(x) as (select 1 union all select x + 1 from c)"
    " select x as source, 'a' as title, 'b' as remedy from c"
)
DAMAGE: dict[str, Callable[[Path], object]] = {
    "a newer version": sql("insert into migrations values ('9999_future', 'now')"),
    "no migrations": sql("delete from migrations"),
    "broken JSON": sql("update live set value = '{'"),
    "deep JSON": sql(f"update live set value = '{'[' * 100_000}'"),
    "JSON of many digits": sql(f"update live set value = '{'9' * 5000}'"),
    "no settings": sql("delete from settings"),
    "settings no JSON": sql("update settings set value = 'nope'"),
    "settings of another type": sql("update settings set value = '{}'"),
    "an outcome that there is not": sql("update samples set outcome = 'bogus' where id = 1"),
    "a text that is none": sql("update passages set text = x'ff00fe' where id = 1"),
    "rows that are bytes": sql("update samples set instruction = x'ff', response = x'00'"),
    "a sample's number that is a text": sql("update samples set sample = 'zz' where id = 1"),
    "a sentence's place that is a text": sql("update samples set evidence_start = 'x'"),
    "a page that is a text": sql("update passages set page = 'abc', start = 'x'"),
    "counts below 0": sql("update counts set samples = -5"),
    "no counts": sql("delete from counts"),
    "no totals": sql("delete from totals"),
    "no documents": sql("delete from documents"),
    "no passages": sql("delete from passages"),
    "odd reviews": sql("update reviews set decision = 'zz', score = 'x', tags = 5"),
    "odd runs": sql("update runs set pid = 'x', started = 'abc', state = 'zz'"),
    "runs of another age": sql(
        "insert into runs(pid, backend, detached, started, ended, state)"
        " values (1, 'fake', 0, -9e18, 9e300, 'finished')"
    ),
    "a wish that there is not": sql("insert or replace into live values ('wish', '\"explode\"')"),
    "problems that are bytes": sql("insert into problems values (x'ff', 'a', 'b')"),
    "readings no JSON": sql("update readings set problems = '{'"),
    "a table that is gone": sql("drop table samples"),
    "a trigger": sql("create trigger t after insert on live begin select load_extension('x'); end"),
    "a view for a table": sql(
        "alter table passages rename to pp", "create view passages as select * from pp"
    ),
    "a view without end": sql(
        "alter table problems rename to pp", f"create view problems as {BOMB}"
    ),
    "an empty file": lambda store: os.truncate(store, 0),
    "a text": lambda store: store.write_text("hello" * 1000),
    "a folder": replaced(lambda store: store.mkdir()),
    "a pipe": replaced(lambda store: os.mkfifo(store, 0o600)),
    "a link": replaced(lambda store: store.symlink_to("/nonexistent/x")),
    "a log that is none": lambda store: Path(f"{store}-wal").write_bytes(os.urandom(40_000)),
    "a log that is a folder": lambda store: Path(f"{store}-wal").mkdir(),
    "a lock that is a folder": lambda store: replaced(Path.mkdir)(store.with_name("lock")),
    "a lock that is a pipe": lambda store: replaced(os.mkfifo)(store.with_name("lock")),
    "a lock that is a text": lambda store: store.with_name("lock").write_text("x" * 9000),
    **{f"cut at {share}": truncated(share) for share in (0.02, 0.3, 0.9, 0.99)},
    **{f"one bit, {seed}": flipped(seed, 1) for seed in range(3)},
    **{f"200 bits, {seed}": flipped(seed, 200) for seed in range(3)},
}
LIVE = ("request", "versions", "model", "air_gaps", "airgap", "task_types", "selection")
VALUES = ("null", "[]", "{}", "5", '"x"', "[1, {}]")


@pytest.fixture
def damaged(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Path], object]], None]:
    def damage(change: Callable[[Path], object]) -> None:
        shutil.rmtree(tmp_path / "o", ignore_errors=True)
        shutil.copytree(whole / "base", tmp_path / "o")
        change(tmp_path / "o" / ".job" / "store.sqlite")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    damage(lambda _: None)
    assert run(["resume", "o", "-q"]) == 0  # it is on the list now
    return damage


def see_that_all_end(
    commands: tuple[tuple[str, ...], ...], capfd: pytest.CaptureFixture[str]
) -> None:
    for command in commands:
        status = run(list(command))
        said = "".join(capfd.readouterr())
        assert status in (0, 1, 2, 143, 130), (command, said)
        assert "Traceback" not in said


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links of POSIX")
@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_store_ends_in_one_line(
    what: str,
    damaged: Callable[[Callable[[Path], object]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    for command in COMMANDS:
        damaged(DAMAGE[what])
        see_that_all_end((command,), capfd)


@pytest.mark.parametrize("name", [*LIVE, "progress", "planned", "cluster", "indexed", "wish"])
def test_a_value_of_another_type_ends_in_one_line(
    name: str,
    damaged: Callable[[Callable[[Path], object]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    for value in VALUES:
        damaged(sql(f"insert or replace into live values ('{name}', '{value}')"))
        see_that_all_end(COMMANDS[:5], capfd)


def test_a_file_of_the_year_2300_is_planned_once(tmp_path: Path) -> None:
    store = Journal(tmp_path / "store.sqlite")
    mark = Mark("a.txt", 5, 10**19)  # nanoseconds: more than 64 bits
    with store.transaction():
        store.set_read(mark, "manner", [])
    assert store.was_read(mark, "manner") == []
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "update passages set text = x'ff'",
        "update passages set heading = x'ff'",
        "update documents set source = x'ff'",
        "update samples set attempt = 'x'",
    ],
)
def test_a_pending_sample_of_another_type_ends_in_one_line(
    change: str,
    damaged: Callable[[Callable[[Path], object]], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    damaged(sql("update samples set outcome = 'pending'", change))
    assert run(["resume", "o", "-q"]) == 1
    assert "is damaged, or not a job of bonito-local" in "".join(capfd.readouterr())


@pytest.mark.parametrize("own", ["x'ff'", "x'ffff'", "9e300", "'['"])
def test_hashes_of_another_type_or_length_end_in_one_line(own: str, tmp_path: Path) -> None:
    text = "The tenant pays rent of 900 euros on the first day of each month to the landlord."
    store = Store(tmp_path / "store.sqlite")
    with store.transaction():
        store.add_passage(Passage(text, "a.txt", "a", None, 0, len(text)), ["exqa"], 1)
        assert store.repeated(Passage(f"{text} x", "a.txt", "a", None, 0, 9)) is None
        row = sketch(Pair(text, text), "", 0.8)
        store._keep(row, None, b"digest")
        store._hold(sketch(Pair(text, ""), "", ALIKE), passage_hash(text))
    assert store.find_duplicates(1, b"other", row) == (ELSEWHERE, {})
    for table in ("sketches", "passage_sketches"):
        store._db.execute(f"update {table} set own = {own}")
    with pytest.raises(JobError, match="own is of another type"), store.transaction():
        store.find_duplicates(1, b"other", row)
    with pytest.raises(JobError, match="own is of another type"), store.transaction():
        store.repeated(Passage(text.upper(), "b.txt", "b", None, 0, 9))
    store.close()
