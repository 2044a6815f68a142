import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import passages, spec

from bonito_local.errors import JobError
from bonito_local.jobs.ledger import OUTCOMES, Outcome
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Passage, Problem


def plan(store: Store, count: int, tasks: tuple[str, ...] = ("exqa", "ynqa"), n: int = 2) -> None:
    with store.transaction():
        for passage in passages(count):
            store.add_passage(passage, tasks, n)


def test_files_are_for_the_user_alone(store: Store) -> None:
    plan(store, 1)
    folder = store.path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes == dict.fromkeys(("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"), 0o600)


def test_planning_again_adds_nothing(store: Store) -> None:
    plan(store, 300)
    plan(store, 300)
    assert store.ledger().planned == 300 * 2 * 2
    plan(store, 301, n=3)
    assert store.ledger().planned == 301 * 2 * 3


def test_equal_texts_are_one_passage(store: Store) -> None:
    twice = [Passage("Same text.", f"{i}.txt", str(i) * 64, None, 0, 10) for i in range(2)]
    with store.transaction():
        new = [store.add_passage(passage, ["qa"], 1) for passage in twice]
    assert new == [True, False]
    assert store.passage_count() == store.ledger().planned == 1


def test_pending_comes_in_order_once_while_outcomes_are_written(store: Store) -> None:
    plan(store, 300)
    seen = []
    for at, pending in enumerate(store.pending()):
        seen.append((pending.passage, pending.task, pending.sample))
        if at % 9 == 0:
            store.record([Result(pending.id, "failed", "no")])
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == 1200
    assert store.ledger().total("failed") == 134
    assert len(list(store.pending())) == 1200 - 134


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(OUTCOMES), st.integers(0, 3)), max_size=30))
def test_the_ledger_adds_up(
    tmp_path_factory: pytest.TempPathFactory, ends: list[tuple[Outcome, int]]
) -> None:
    store = Store(tmp_path_factory.mktemp("job") / "store.sqlite")
    store.bind(spec().settings())
    plan(store, 8)
    wanted: Counter[str] = Counter()
    held = set()
    for pending, (outcome, key) in zip(list(store.pending()), ends, strict=False):
        digest = bytes([key]) if outcome == "accepted" else None
        end = "duplicate" if digest in held else outcome
        held.add(digest) if digest else None
        wanted[end] += 1
        result = Result(pending.id, outcome, instruction="i", response="r", digest=digest)
        assert store.record([result]) == {end: 1}
    ledger = store.ledger()
    assert {name: ledger.total(name) for name in OUTCOMES if ledger.total(name)} == wanted
    assert ledger.planned == 32 == wanted.total() + ledger.pending
    assert len(list(store.chosen())) == wanted["accepted"]
    store.close()


def test_a_duplicate_within_one_batch_is_seen(store: Store) -> None:
    plan(store, 1)
    results = [Result(p.id, "accepted", digest=b"same") for p in store.pending()]
    assert store.record(results) == {"accepted": 1, "duplicate": 3}


def test_an_outcome_is_final(store: Store) -> None:
    plan(store, 1)
    key = next(store.pending()).id
    store.record([Result(key, "rejected", "why", "raw text")])
    assert store.record([Result(key, "failed", "later")]) == {"failed": 0}
    assert [(c.outcome, c.reason, c.samples) for c in store.ledger().reasons()] == [
        ("rejected", "why", 1)
    ]


def test_text_that_is_not_utf8_is_kept_readable(store: Store) -> None:
    store.bind(spec().settings())
    odd = Passage("A \ud800 b\0c", "na\udcffme.txt", "0" * 64, 1, 0, 5)
    with store.transaction():
        store.add_passage(odd, ["qa"], 1)
        store.add_problem(Problem("x\udcff", "bad", "fix"))
    (pending,) = store.pending()
    assert pending.text == "A \\ud800 b\0c"
    store.record([Result(pending.id, "accepted", "", "x\ud800", "i", "r", digest=b"d")])
    (row,) = store.chosen()
    assert (row.source, row.page) == ("na\\udcffme.txt", 1)
    assert store.problems() == [Problem("x\\udcff", "bad", "fix")]


def test_other_settings_are_refused_and_named(store: Store) -> None:
    store.bind(spec(temperature=1.0).settings())
    store.bind(spec().settings())  # A job without samples may still change.
    plan(store, 1)
    store.bind(spec("exqa", n=4).settings())
    with pytest.raises(JobError, match=r"temperature 0\.5 -> 0\.7\)"):
        store.bind(spec(temperature=0.7).settings())
    assert store.settings() == spec().settings()


def test_a_full_disk_keeps_what_is_committed(store: Store) -> None:
    plan(store, 10)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages + 4}")
    keys = [p.id for p in store.pending()]
    store.record([Result(keys[0], "failed", "kept")])
    with pytest.raises(JobError, match=r"disk that holds .* is full") as caught:
        store.record([Result(key, "failed", "x" * 5000) for key in keys[1:]])
    assert "Free some space" in caught.value.remedy
    ledger = store.ledger()
    assert (ledger.total("failed"), ledger.pending) == (1, 39)


def test_a_store_locked_by_another_is_an_error(store: Store) -> None:
    store._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JobError, match="Another process has locked"):
        plan(store, 1)
    other.close()
    plan(store, 1)
    assert store.ledger().planned == 4


@pytest.mark.parametrize(
    "content", [b"not a database, though long enough" * 40, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_store_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    with pytest.raises(JobError, match="damaged, or not a job"):
        Store(path)
    assert path.read_bytes() == content


def test_threads_have_their_own_connections(store: Store) -> None:
    plan(store, 1)
    seen = []
    with store.transaction():
        store.add_problem(Problem("a", "b", "c"))
        thread = threading.Thread(target=lambda: seen.append(store.problems()))
        thread.start()
        thread.join()
    assert seen == [[]]
    assert len(store.problems()) == 1


def rows(store: Store, columns: str) -> list[tuple[object, ...]]:
    """Every sample, in the order it was planned."""
    return store._db.execute(f"SELECT {columns} FROM samples ORDER BY id").fetchall()


def test_where_a_passage_stands_is_kept(store: Store) -> None:
    text = Passage("  Of rent.\n", "a.pdf", "1" * 64, 3, 70, 79, "Rent \ud800", "en")
    with store.transaction():
        assert store.add_passage(text, ["qa", "te"], 2)
    kept = store._db.execute(
        """SELECT p.text, d.source, d.sha256, p.page, p.start, p."end", p.heading, p.language
           FROM passages p JOIN documents d ON d.id = p.document"""
    ).fetchall()
    assert kept == [("Of rent.", "a.pdf", "1" * 64, 3, 70, 79, "Rent \\ud800", "en")]
    planned = [(p.task, p.sample, p.attempt, p.text) for p in store.pending()]
    assert planned == [(task, n, 0, "Of rent.") for task in ("qa", "te") for n in (0, 1)]


def test_a_passage_is_of_the_document_as_it_was_then(store: Store) -> None:
    seen = [("Old.", "a.pdf", "1"), ("New.", "a.pdf", "2"), ("Copy.", "b.pdf", "2")]
    with store.transaction():
        for text, source, digest in seen:
            store.add_passage(Passage(text, source, digest * 64, None, 0, 4), ["qa"], 1)
    kept = store._db.execute(
        "SELECT p.text, d.source, d.sha256 FROM passages p JOIN documents d ON d.id = p.document"
    ).fetchall()
    assert kept == [(text, source, digest * 64) for text, source, digest in seen]


def test_all_of_a_result_is_kept(store: Store) -> None:
    plan(store, 1, ("qa",), n=2)
    first, second = [pending.id for pending in store.pending()]
    store.record(
        [
            Result(first, "accepted", "", "a|b", "a", "b", 11, 7, b"digest"),
            Result(second, "failed", "no answer"),
        ]
    )
    columns = "outcome, reason, completion, instruction, response, prompt_tokens, "
    assert rows(store, columns + "completion_tokens, digest, attempt") == [
        ("accepted", "", "a|b", "a", "b", 11, 7, b"digest", 0),
        ("failed", "no answer", "", None, None, 0, 0, None, 0),
    ]


def test_of_equal_rows_the_one_planned_first_is_kept_whichever_comes_first(store: Store) -> None:
    plan(store, 1, ("qa",), n=3)
    first, second, third = [pending.id for pending in store.pending()]
    assert store.record([Result(second, "accepted", digest=b"same")]) == {"accepted": 1}
    # The second makes room for the first: as many are accepted as before.
    ends = store.record([Result(first, "accepted", digest=b"same")])
    assert (ends["accepted"], ends["duplicate"]) == (0, 1)
    assert store.record([Result(third, "accepted", digest=b"same")]) == {"duplicate": 1}
    assert rows(store, "outcome, reason") == [
        ("accepted", ""),
        ("duplicate", "same row"),
        ("duplicate", "same row"),
    ]
    # One that has its outcome is neither compared nor counted again.
    assert store.record([Result(second, "accepted", digest=b"same")]) == {"accepted": 0}


def test_what_is_asked_again_is_pending_and_how_it_ended_is_kept(store: Store) -> None:
    plan(store, 1, ("qa",), n=4)
    keys = [pending.id for pending in store.pending()]
    store.record(
        [
            Result(keys[0], "accepted", "", "a|b", "a", "b", 5, 6, b"digest"),
            Result(keys[1], "rejected", "asks nothing", "c|d", "c", "d", 5, 6),
            Result(keys[2], "failed", "no answer"),
            Result(keys[3], "unparseable", "", "e"),
        ]
    )
    assert store.ask_again(["rejected", "failed"]) == 2
    columns = "outcome, reason, completion, instruction, response, prompt_tokens, "
    fresh = ("pending", "", None, None, None, None, None, None)
    found = rows(store, columns + "completion_tokens, digest, attempt")
    # A text that was drawn would be drawn again by the same seed; a failure has none.
    assert found[1:3] == [(*fresh, 1), (*fresh, 0)]
    assert [row[0] for row in found] == ["accepted", "pending", "pending", "unparseable"]
    assert [(p.id, p.attempt) for p in store.pending()] == [(keys[1], 1), (keys[2], 0)]
    earlier = "SELECT sample, attempt, outcome, reason, completion FROM earlier ORDER BY sample"
    assert store._db.execute(earlier).fetchall() == [
        (keys[1], 0, "rejected", "asks nothing", "c|d"),
        (keys[2], 0, "failed", "no answer", ""),
    ]
    assert store.ask_again(["duplicate"]) == 0
    # A row is no duplicate of what it was itself before.
    assert store.ask_again(["accepted"]) == 1
    again = Result(keys[0], "accepted", "", "a|b", "a", "b", 5, 6, b"digest")
    assert store.record([again]) == {"accepted": 1}


def test_some_settings_are_checked_before_all_are_known(store: Store) -> None:
    settings = spec().settings()
    store.check({"temperature": 9.0})  # a new job has none
    store.bind(settings)
    store.check({"temperature": 9.0})  # without samples they may still change
    plan(store, 1)
    store.check({"temperature": settings["temperature"]})
    with pytest.raises(JobError, match=r"\(temperature 0\.5 -> 9\.0\)"):
        store.check({"temperature": 9.0})


def test_problems_are_those_of_the_last_planning_in_order(store: Store) -> None:
    told = [Problem("b", "bad", "mend"), Problem("a", "worse")]
    with store.transaction():
        for problem in told:
            store.add_problem(problem)
    assert store.problems() == told
    with store.transaction():
        store.clear_problems()
    assert store.problems() == []
