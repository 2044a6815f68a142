"""Which rows go into a dataset: by scores, the best of a passage, and balanced labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.checks.balance import answer_of
from bonito_local.errors import UsageError
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.scoretable import Unscored
from bonito_local.jobs.selection import (
    Selection,
    check_selection,
    select_by,
    selected,
    selection,
    told,
)
from bonito_local.jobs.spec import Setting
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Passage
from bonito_local.tasks import TASK_TYPES, TaskType, task_type

SAMPLES = 4
SETTINGS: dict[str, Setting] = {
    "model": "tiny",
    "model_sha256": "0" * 64,
    "backend": "llamacpp",
    "temperature": 0.5,
    "top_p": 0.95,
    "max_tokens": 64,
    "seed": 0,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.sqlite")
    fill(made, ["yes", "no", "Yes.", "yes"] * 6)
    yield made
    made.close()


def fill(store: Store, answers: list[str]) -> None:
    """Rows of ynqa and qa, four of a passage, with these responses."""
    store.bind(SETTINGS)
    with store.transaction():
        for at in range(0, len(answers), SAMPLES):
            place = Passage(f"Passage {at}.", "a.txt", "0" * 64, None, at, at + 1)
            store.add_passage(place, ["ynqa", "qa"], SAMPLES)
    given_to: Counter[str] = Counter()
    for pending in store.pending():
        answer = answers[given_to[pending.task]]
        given_to[pending.task] += 1
        store.record(
            [
                Result(
                    *(pending.id, "accepted", "", "raw", f"Q{pending.id}", answer),
                    digest=str(pending.id).encode(),
                )
            ]
        )


def score(store: Store, values: dict[int, dict[str, float]]) -> None:
    rows = {row.id: row for row in store.unscored(0, 999)}
    store.set_scores((rows[number], scores) for number, scores in values.items())


def labels(store: Store) -> Counter[tuple[str, str]]:
    rows = selected(store, Choice())
    return Counter((r.task_type, answer_of(task_type(r.task_type), r.output)) for r in rows)


def test_all_rows_unless_something_is_selected(store: Store) -> None:
    assert labels(store) == {("ynqa", "yes"): 18, ("ynqa", "no"): 6, ("qa", ""): 24}
    assert selection(store) == Selection()
    assert str(selection(store)) == ""


def test_balanced_labels(store: Store) -> None:
    select_by(store, Selection(balance=True))
    assert labels(store) == {("ynqa", "yes"): 6, ("ynqa", "no"): 6, ("qa", ""): 24}
    # From all over the job, and the same each time.
    kept = [r.passage_sha256 for r in selected(store, Choice()) if r.output != "no"]
    assert len(set(kept)) == 6
    assert kept == [r.passage_sha256 for r in selected(store, Choice()) if r.output != "no"]
    # Nothing is gone, and what is asked for by outcome is there.
    assert len(list(selected(store, Choice(outcomes=("accepted",))))) == 48
    assert store.ledger().accepted == 48
    select_by(store, Selection())
    assert sum(labels(store).values()) == 48


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["yes", "no", "maybe"]), min_size=1, max_size=5))
def test_any_labels_balance(tmp_path_factory: pytest.TempPathFactory, said: list[str]) -> None:
    store = Store(tmp_path_factory.mktemp("job") / "store.sqlite")
    answers = [answer for answer in said for _ in range(SAMPLES)]
    fill(store, answers)
    select_by(store, Selection(balance=True))
    found = {answer: n for (task, answer), n in labels(store).items() if task == "ynqa"}
    counts = Counter(answers)
    assert set(found.values()) == {min(counts.values())}
    assert len(found) == len(counts)
    store.close()


def test_scores_select(store: Store) -> None:
    numbers = [row.id for row in store.unscored(0, 999)]
    assert len(numbers) == 48
    score(store, {n: {"agreement": (n % 10) / 10, "gain": -1.0} for n in numbers[:40]})
    assert [row.id for row in store.unscored(0, 999)] == numbers[40:]
    select_by(store, Selection({"agreement": 0.5}))
    kept = {int(row.input[1:]) for row in selected(store, Choice())}
    assert kept == {n for n in numbers[:40] if n % 10 >= 5}
    select_by(store, Selection({"agreement": 0.5, "gain": 0.0}))
    assert not list(selected(store, Choice()))
    select_by(store, Selection(best=1))
    rows = list(selected(store, Choice()))
    assert len(rows) == 12
    assert len({(row.passage_sha256, row.task_type) for row in rows}) == 12
    best = {
        max((n for n in numbers[at : at + SAMPLES]), key=lambda n: n % 10)
        for at in range(0, 40, SAMPLES)
    }
    assert {int(row.input[1:]) for row in rows} >= best
    assert str(selection(store)) == "the best 1 of a passage and task by agreement"
    assert {row.agreement for row in rows} <= {None, *(n / 10 for n in range(10))}
    assert told(store, Choice()) == (
        "accepted by the checks or by a person; of these "
        "the best 1 of a passage and task by agreement"
    )
    assert told(store, Choice(decision="any")) == "decided on by a person"


def test_scores_are_of_the_text_that_was_there(store: Store) -> None:
    first = store.unscored(0, 1)[0]
    score(store, {first.id: {"agreement": 1.0}})
    assert store.unscored(0, 1)[0].id != first.id
    store.ask_again(["accepted"])
    assert store.unscored(0, 999) == []
    store.record([Result(first.id, "accepted", "", "raw", "Q", "yes", digest=b"new")])
    (again,) = store.unscored(0, 999)
    assert isinstance(again, Unscored)
    assert (again.id, again.attempt) == (first.id, 1)


@pytest.mark.parametrize(
    "wrong",
    [Selection({"agreemnt": 1}), Selection(by="best"), Selection(best=-1)],  # type: ignore[arg-type]
)
def test_wrong_selections(wrong: Selection) -> None:
    with pytest.raises(UsageError):
        check_selection(wrong)


@pytest.mark.parametrize(
    ("task", "response", "labels", "answer"),
    [
        ("ynqa", "Yes.", (), "yes"),
        ("nli", "Always", (), "yes"),
        ("nli", "maybe", (), "neither"),
        ("te", "not_entailment", (), "no"),
        ("sentiment", "negative", (), "no"),
        ("exqa", "yes", (), ""),
        ("topic_class", "law", (), ""),
        ("topic_class", "Law", ("law", "tax"), "law"),
        ("sentiment", "They loved it", (), ""),
    ],
)
def test_answers(task: str, response: str, labels: tuple[str, ...], answer: str) -> None:
    assert answer_of(task_type(task), response, labels) == answer


def test_labels_of_own_types() -> None:
    own = TaskType("own", "own type", "x", "Q", "b", ("a", "b"), like="topic_class")
    assert answer_of(own, "B.") == "b"
    assert all(answer_of(task, "nonsense") == "" for task in TASK_TYPES)
