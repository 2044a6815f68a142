import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import Scripted, passages, spec, unique

from bonito_local.backends.base import Completion, Request
from bonito_local.errors import BackendError, JobError
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.seeds import passage_hash, sample_seed
from bonito_local.jobs.store import Store
from bonito_local.passages.types import Passage, Problem
from bonito_local.tasks import PIPE


def test_every_passage_task_and_sample_ends_once(store: Store) -> None:
    engine = Scripted(unique)
    ledger = run_job(store, engine, spec("ynqa,qa", n=3), passages(7))
    assert (ledger.planned, ledger.accepted, ledger.pending) == (42, 42, 0)
    assert len(set(engine.asked)) == len(engine.asked) == 42
    assert {ledger.total("accepted", task) for task in ("ynqa", "qa")} == {21}


def test_each_kind_of_end(store: Store) -> None:
    def answer(request: Request, sample: int) -> str:
        return [
            f"Is it?{PIPE}Yes",
            f"is  it?{PIPE}yes",
            f"Is it?{PIPE}perhaps",
            "no pipe",
            f"a{PIPE}b{PIPE}c",
        ][sample]

    ledger = run_job(store, Scripted(answer), spec(n=5), passages(1))
    ends = {(c.outcome, c.reason): c.samples for c in ledger.counts}
    assert ends == {
        ("accepted", ""): 1,
        ("duplicate", "same row"): 1,
        ("rejected", "response is not yes or no"): 1,
        ("unparseable", ""): 2,
    }
    kept = {row[0] for row in store._db.execute("SELECT completion FROM samples")}
    assert kept == {answer(None, i) for i in range(5)}  # type: ignore[arg-type]


def test_failed_and_cut_off_rows(store: Store) -> None:
    class Ends(Scripted):
        def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
            for request in requests:
                yield Completion(request.id, 0, "", 0, 0, "failed", "prompt too long")
                yield Completion(request.id, 1, unique(request, 1), 1, 1, "length")

    ledger = run_job(store, Ends(unique), spec(n=2), passages(3))
    assert [(c.outcome, c.reason, c.samples) for c in ledger.reasons()] == [
        ("failed", "prompt too long", 3),
        ("rejected", "cut off at the token limit", 3),
    ]


def test_requests_hold_the_prompt_and_derived_seeds(store: Store) -> None:
    engine = Scripted(unique)
    run_job(store, engine, spec(n=2, seed=9), passages(2))
    hashes = {f"{i + 1}/ynqa": passage_hash(p.text) for i, p in enumerate(passages(2))}
    assert engine.seeds == {
        (key, sample): sample_seed(9, hashed, "ynqa", sample)
        for key, hashed in hashes.items()
        for sample in range(2)
    }


def test_the_same_run_again_asks_nothing(store: Store) -> None:
    run_job(store, Scripted(unique), spec(), passages(5))
    engine = Scripted(unique)
    ledger = run_job(store, engine, spec(), passages(5))
    assert (engine.asked, ledger.accepted) == ([], 5)


def test_more_documents_tasks_and_samples_ask_only_for_those(store: Store) -> None:
    run_job(store, Scripted(unique), spec("ynqa"), passages(2))
    engine = Scripted(unique)
    ledger = run_job(store, engine, spec("ynqa,qa", n=2), passages(3))
    assert ledger.accepted == ledger.planned == 12
    assert len(engine.asked) == 10
    assert not {("1/ynqa", 0), ("2/ynqa", 0)} & set(engine.asked)


@pytest.mark.parametrize("change", [("temperature", 0.1), ("seed", 1), ("max_tokens", 9)])
def test_other_sampling_in_the_same_store_is_refused(
    store: Store, change: tuple[str, float]
) -> None:
    run_job(store, Scripted(unique), spec(), passages(1))
    engine = Scripted(unique)
    with pytest.raises(JobError, match="other settings"):
        run_job(store, engine, spec("ynqa", **dict([change])), passages(1))
    assert (engine.asked, store.ledger().planned) == ([], 1)


@pytest.mark.parametrize("stop_after", [0, 1, 5, 17])
def test_stopping_keeps_what_finished(store: Store, stop_after: int) -> None:
    engine = Scripted(unique)
    ledger = run_job(
        store,
        engine,
        spec(n=2),
        passages(10),
        stop=lambda: len(engine.asked) > stop_after,
    )
    assert ledger.accepted == len(engine.asked)
    assert ledger.pending == 20 - ledger.accepted > 0
    rest = Scripted(unique)
    ledger = run_job(store, rest, spec(n=2), passages(10))
    assert (ledger.accepted, ledger.pending) == (20, 0)
    assert not set(engine.asked) & set(rest.asked)


@pytest.mark.parametrize("error", [BackendError("The engine died."), KeyboardInterrupt()])
def test_an_engine_that_dies_loses_nothing(store: Store, error: BaseException) -> None:
    def answer(request: Request, sample: int) -> str:
        if request.id == "7/ynqa":
            raise error
        return unique(request, sample)

    with pytest.raises(type(error)):
        run_job(store, Scripted(answer), spec(), passages(10))
    assert (store.ledger().accepted, store.ledger().pending) == (6, 4)


def test_an_engine_that_leaves_requests_unanswered_is_an_error(store: Store) -> None:
    class Lazy(Scripted):
        def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
            for request in itertools.islice(requests, 3):
                if not request.id.startswith("2/"):
                    yield Completion(request.id, 0, unique(request, 0), 1, 1, "stop")

    with pytest.raises(BackendError, match="without an answer to 1 request"):
        run_job(store, Lazy(unique), spec(), passages(3))
    assert (store.ledger().accepted, store.ledger().pending) == (2, 1)


@pytest.mark.parametrize(("key", "sample"), [("1/ynqa", 1), ("9/ynqa", 0), ("1/ynqa", 0)])
def test_an_answer_nobody_asked_for_is_an_error(store: Store, key: str, sample: int) -> None:
    class Rogue(Scripted):
        def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
            request = next(iter(requests))
            yield Completion(request.id, 0, unique(request, 0), 1, 1, "stop")
            yield Completion(key, sample, unique(request, 1), 1, 1, "stop")

    with pytest.raises(BackendError, match="was not asked"):
        run_job(store, Rogue(unique), spec(), passages(3))
    assert store.ledger().accepted == 1


def test_a_store_that_fails_ends_the_run(store: Store) -> None:
    def answer(request: Request, sample: int) -> str:
        if request.id == "5/qa":
            while store.ledger().accepted < 4:
                time.sleep(0.02)
            (pages,) = store._db.execute("PRAGMA page_count").fetchone()
            for db in store._open:
                db.execute(f"PRAGMA max_page_count = {pages}")
        return unique(request, sample) + "x" * 5000

    with pytest.raises(JobError, match="is full"):
        run_job(store, Scripted(answer), spec("qa"), passages(200))
    assert (store.ledger().accepted, store.ledger().pending) == (4, 196)


def test_the_engine_pulls_and_memory_stays_bounded(store: Store) -> None:
    ahead: list[int] = []

    class Eager(Scripted):
        def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
            for request in requests:
                ahead.append(int(request.id.split("/")[0]))
                yield Completion(request.id, 0, unique(request, 0), 1, 1, "stop")
                assert len(ahead) == ahead[-1]

    run_job(store, Eager(unique), spec(), passages(600))
    assert ahead == list(range(1, 601))


def test_stopping_while_reading_keeps_what_was_read(store: Store) -> None:
    read = []

    def reading() -> Iterator[Passage]:
        for passage in passages(10):
            read.append(passage)
            yield passage

    engine = Scripted(unique)
    ledger = run_job(store, engine, spec(), reading(), stop=lambda: len(read) == 4)
    assert (ledger.planned, ledger.pending, engine.asked) == (4, 4, [])


def test_problems_are_those_of_the_last_run(store: Store) -> None:
    bad = Problem("a.pdf", "It is encrypted.", "Remove the password.")
    run_job(store, Scripted(unique), spec(), [bad, *passages(1)])
    assert store.problems() == [bad]
    run_job(store, Scripted(unique), spec(), passages(1))
    assert store.problems() == []


def test_limit_ends_reading(store: Store) -> None:
    def endless() -> Iterator[Passage]:
        for i in itertools.count():
            yield from passages(1, start=i)

    limited = replace(spec(), limit=4)
    assert run_job(store, Scripted(unique), limited, endless()).accepted == 4


def test_progress_begins_ends_and_adds_up(store: Store, tmp_path: Path) -> None:
    seen: list[Progress] = []
    run_job(store, Scripted(unique), spec(n=2), passages(3), seen.append)
    assert seen[0] == Progress("reading")
    first = next(p for p in seen if p.phase == "generating")
    assert (first.planned, first.done, first.seconds_left) == (6, 0, None)
    last = seen[-1]
    assert (last.planned, last.done, last.accepted, last.earlier) == (6, 6, 6, 0)
    # Two samples share the prefill of a prompt of 10 tokens; each wrote 5.
    assert (last.prompt_tokens, last.completion_tokens) == (30, 30)
    assert last.seconds_left == 0
