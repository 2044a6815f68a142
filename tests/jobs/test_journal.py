"""What a job's database notes of the processes that work on it, and of what they read."""

import os
import time
from pathlib import Path

import pytest
from scripted import passages

from bonito_local.jobs.journal import ENDINGS, Mark
from bonito_local.jobs.ledger import Count
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Problem


def test_a_value_is_kept_under_its_name_and_replaced(store: Store) -> None:
    assert store.load("note") is None
    store.save("note", {"a": [1, None, "ä"]})
    store.save("other", 2)
    assert store.load("note") == {"a": [1, None, "ä"]}
    store.save("note", "new")
    assert (store.load("note"), store.load("other")) == ("new", 2)


def test_a_run_from_its_begin_to_its_end(store: Store) -> None:
    assert store.last_run() is None
    before = time.time()
    first = store.begin_run("fake", detached=False)
    second = store.begin_run("llamacpp", detached=True)
    assert second == first + 1
    run = store.last_run()
    assert run is not None
    assert (run.id, run.pid, run.backend, run.detached) == (second, os.getpid(), "llamacpp", True)
    assert (run.state, run.ended, run.error, run.remedy) == ("running", None, "", "")
    assert before <= run.started <= time.time()
    store.end_run(second, "failed", "bad \ud800", "mend \ud800")
    run = store.last_run()
    assert run is not None
    assert run.ended is not None
    assert run.started <= run.ended <= time.time()
    assert (run.state, run.error, run.remedy) == ("failed", "bad \\ud800", "mend \\ud800")
    store.drop_run(second)
    run = store.last_run()
    assert run is not None
    assert (run.id, run.state, run.detached) == (first, "running", False)
    assert run.detached is False


def test_a_run_ends_without_an_error_unless_told(store: Store) -> None:
    store.end_run(store.begin_run("fake", detached=False), "finished")
    run = store.last_run()
    assert run is not None
    assert (run.state, run.error, run.remedy) == ("finished", "", "")


def test_a_new_run_forgets_what_was_wished_and_shown_before(store: Store) -> None:
    assert store.wish() is None
    for name in ("wish", "progress"):
        store.save(name, "pause")
    store.save("versions", ["0.1.0"])
    assert store.wish() == "pause"
    store.begin_run("fake", detached=False)
    assert store.wish() is None
    assert (store.load("progress"), store.load("versions")) == (None, ["0.1.0"])
    assert ENDINGS == {"pause": "paused", "cancel": "cancelled"}


def test_progress_may_be_lost_in_a_power_cut_and_rows_may_not(tmp_path: Path, store: Store) -> None:
    def level() -> int:
        return int(store._db.execute("PRAGMA synchronous").fetchone()[0])

    assert level() == 2  # FULL
    store.hurry()
    assert level() == 1  # NORMAL


def test_the_ledger_comes_in_order_and_without_what_is_no_more(store: Store) -> None:
    with store.transaction():
        for passage in passages(2):
            store.add_passage(passage, ["ynqa", "exqa"], 1)
    keys = {(p.passage, p.task): p.id for p in store.pending()}
    first, second = sorted({passage for passage, _ in keys})
    store.record([Result(keys[first, "exqa"], "rejected", "b")])
    store.record([Result(keys[second, "exqa"], "rejected", "a")])
    assert store.ledger().counts == (
        Count("exqa", "rejected", "a", 1),
        Count("exqa", "rejected", "b", 1),
        Count("ynqa", "pending", "", 2),
    )
    assert store.passage_count() == 2


@pytest.mark.parametrize(
    ("mark", "manner"),
    [
        (Mark("b.txt", 10, 5), "plain"),
        (Mark("a.txt", 11, 5), "plain"),
        (Mark("a.txt", 10, 6), "plain"),
        (Mark("a.txt", 10, 5), "ocr"),
    ],
)
def test_a_document_is_read_again_where_anything_changed(
    store: Store, mark: Mark, manner: str
) -> None:
    same = Mark("a.txt", 10, 5)
    problems = [Problem("a.txt", "page 2 is a picture", "Use --ocr."), Problem("a.txt", "more")]
    with store.transaction():
        store.set_read(same, "plain", problems)
    assert store.was_read(same, "plain") == problems
    assert store.was_read(mark, manner) is None
    with store.transaction():
        store.set_read(same, "plain", [])
    assert store.was_read(same, "plain") == []


def test_a_name_that_is_not_utf8_is_found_again(store: Store) -> None:
    mark = Mark("na\udcffme.txt", 1, 2)
    with store.transaction():
        store.set_read(mark, "plain", [])
    assert store.was_read(mark, "plain") == []
