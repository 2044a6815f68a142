"""Duplicates in a job's store: the same whatever order rows come in, and after a stop."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.sketch import sketch
from bonito_local.jobs.likeness import Known
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Passage
from bonito_local.tasks import Pair

PASSAGES = [
    "The tenant Nora Quill pays 1,250 euros on the first working day of each month.",
    "The tenant Nora Quill pays 1,250 euros on the first working day of every month.",
    "Either party may end this agreement by giving thirty days' written notice.",
]
ASKED = [
    ("When does the tenant pay the rent for the flat?", "on the first working day"),
    ("When does the tenant pay rent for the flat?", "on the first working day"),
    ("When does the tenant pay rent for a flat?", "on the first working day"),
    ("when  does the tenant pay rent for a flat?", "on the first working day"),
    ("Who is named?", "Nora Quill"),
    ("Is the tone positive or negative?", "negative"),
]
LEAST = 0.8


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with_rows = planned(tmp_path / "store.sqlite")
    yield with_rows
    with_rows.close()


def planned(path: Path) -> Store:
    store = Store(path)
    with store.transaction():
        for at, text in enumerate(PASSAGES):
            place = Passage(text, f"{at}.txt", str(at) * 64, None, 0, len(text))
            store.add_passage(place, ["qa"], len(ASKED))
    return store


def results(store: Store) -> list[Result]:
    found = []
    for pending in store.pending():
        asked, said = ASKED[pending.sample]
        pair = Pair(f"{pending.text}\n{asked}", said)
        found.append(
            Result(
                pending.id,
                "accepted",
                instruction=pair.instruction,
                response=pair.response,
                digest=pair_digest(pair),
                sketch=sketch(pair, pending.text, LEAST),
            )
        )
    return found


def ends(store: Store) -> list[tuple[int, str, str]]:
    return store._db.execute("SELECT id, outcome, reason FROM samples ORDER BY id").fetchall()


EXPECTED = [
    # Of the first passage: the second is like the first, the third like the second.
    *("accepted", "nearly the same row", "nearly the same row", "same row"),
    *("accepted", "accepted"),
    # The second passage is nearly the first, so its rows are, too.
    *("nearly the same row", "nearly the same row", "nearly the same row", "same row"),
    *("nearly the same row", "nearly the same row"),
    # The third is another: the same question of it is another row.
    *("accepted", "nearly the same row", "nearly the same row", "same row"),
    *("accepted", "accepted"),
]


def told(store: Store) -> list[str]:
    return [reason or outcome for _, outcome, reason in ends(store)]


def test_the_first_planned_of_alike_rows_is_kept(store: Store) -> None:
    assert store.record(results(store)) == {"accepted": 6, "duplicate": 12}
    # An exact duplicate of a near-duplicate is a near-duplicate.
    assert [w.replace("nearly the ", "") for w in told(store)] == [
        w.replace("nearly the ", "") for w in EXPECTED
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 16), cut=st.integers(0, 18))
def test_the_order_of_rows_and_a_stop_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("job")
    store = planned(folder / "store.sqlite")
    coming = results(store)
    random.Random(seed).shuffle(coming)
    sums = store.record(coming[:cut])
    store.close()
    store = Store(folder / "store.sqlite")
    sums += store.record(coming[cut:])
    outcomes = [outcome for _, outcome, _ in ends(store)]
    assert outcomes == ["accepted" if w == "accepted" else "duplicate" for w in EXPECTED]
    assert sums["accepted"] == outcomes.count("accepted") == store.ledger().accepted
    assert sums.total() == 18
    store.close()


def test_without_near_duplicates_only_the_same_rows_are(store: Store) -> None:
    bare = [Result(r.id, r.outcome, digest=r.digest) for r in results(store)]
    assert store.record(bare) == {"accepted": 15, "duplicate": 3}
    assert set(told(store)) == {"accepted", "same row"}


def test_rows_of_other_jobs(store: Store) -> None:
    asked, said = ASKED[0]
    there = [Pair(f"{PASSAGES[0]}\n{asked}", said), Pair(f"{PASSAGES[2]}\n{ASKED[5][0]}", "x")]
    known = [
        Known(pair_digest(pair), sketch(pair, text, LEAST))
        for pair, text in zip(there, (PASSAGES[0], PASSAGES[2]), strict=True)
    ]
    rows = results(store)
    store.record(rows[:1])
    assert store.set_elsewhere("one", known, LEAST) == 1  # what was accepted before is looked at
    assert store.load("elsewhere") == "one"
    store.record(rows[1:])
    assert (
        told(store)[:6] == ["in another job"] * 2 + ["nearly the same row"] * 2 + ["accepted"] * 2
    )
    assert told(store)[6] == "in another job"
    assert store.set_elsewhere("none", [], LEAST) == 0
    count = store._db.execute("SELECT count(*) FROM sketches WHERE sample IS NULL").fetchone()
    assert count == (0,)


def test_a_row_that_is_asked_for_again_is_forgotten(store: Store) -> None:
    rows = results(store)
    store.record(rows[:1])
    store.ask_again(["accepted"])
    assert store._db.execute("SELECT count(*) FROM sketch_keys").fetchone() == (0,)
    store.record(rows[1:2])
    assert told(store)[:2] == ["pending", "accepted"]
    store.record(rows[:1])
    assert told(store)[:2] == ["accepted", "nearly the same row"]
