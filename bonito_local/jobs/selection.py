"""Which accepted rows go into a dataset: by their scores, and by the balance of labels.

What is not selected stays in the job, accepted as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from heapq import nlargest
from itertools import groupby

from bonito_local.bounds import MOST_WHOLE, check_range
from bonito_local.checks.balance import answer_of
from bonito_local.errors import UsageError, did_you_mean
from bonito_local.exports.row import SCORES, Row, Score
from bonito_local.jobs.chosen import Choice
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.store import Store


@dataclass(frozen=True, slots=True)
class Selection:
    """Which accepted rows go into the dataset.

    Attributes:
        least: the least a row must have of a score; without the score it does not go in.
        best: most rows of one passage and task type, by `by`; 0 for all.
        by: the score that `best` goes by.
        balance: as many rows of each label, of the task types that have labels.
    """

    least: Mapping[str, float] = field(default_factory=dict)
    best: int = 0
    by: Score = "agreement"
    balance: bool = False

    def __str__(self) -> str:
        told = [f"{name} of {value:g} or more" for name, value in self.least.items()]
        told += [f"the best {self.best} of a passage and task by {self.by}"] if self.best else []
        return ", ".join([*told, *(["labels balanced"] if self.balance else [])])


def check_selection(wanted: Selection) -> None:
    """Raise UsageError for a score that there is not, or a number that cannot be."""
    for name in (*wanted.least, wanted.by):
        if name not in SCORES:
            raise UsageError(f"There is no score {name!r}.", did_you_mean(name, list(SCORES)))
    for name, least in wanted.least.items():
        check_range(f"the least {name}", least, -MOST_SCORE, MOST_SCORE)
    check_range("best", wanted.best, 0, MOST_WHOLE, "Ask for 1 or more, or 0 for all.")


MOST_SCORE = 1e9


def selection(store: Journal) -> Selection:
    """The selection that the job's datasets are written with."""
    return Selection(**(store.load("selection") or {}))


def select_by(store: Journal, wanted: Selection) -> None:
    """Write the job's datasets with this selection from now on."""
    check_selection(wanted)
    store.save("selection", asdict(wanted) | {"least": dict(wanted.least)})


def told(store: Journal, choice: Choice) -> str:
    """Which rows `selected` yields, in words."""
    wanted = _holding(store, choice)
    return f"{choice}; of these {wanted}" if str(wanted) else str(choice)


def selected(store: Store, choice: Choice) -> Iterator[Row]:
    """Yield the rows of a choice that the job's selection lets through.

    Rows chosen by their outcome or a decision are all there.
    """
    wanted = _holding(store, choice)
    if not wanted.balance:
        yield from _scored(store, choice, wanted)
        return
    types = remember(store, [])
    labels = tuple((store.load("request") or {}).get("labels", ()))

    def answer(row: Row) -> tuple[str, str]:
        return row.task_type, answer_of(types[row.task_type], row.output, labels)

    counts = Counter(map(answer, _scored(store, choice, wanted)))
    fewest: dict[str, int] = {}
    for (task, answered), count in counts.items():
        if answered:
            fewest[task] = min(count, fewest.get(task, count))
    seen: Counter[tuple[str, str]] = Counter()
    for row in _scored(store, choice, wanted):
        key = answer(row)
        at, of = seen[key], counts[key]
        seen[key] += 1
        keep = fewest.get(row.task_type, of) if key[1] else of
        # Every so many of them, from all documents: the same rows each time.
        if (at + 1) * keep // of > at * keep // of:
            yield row


def _holding(store: Journal, choice: Choice) -> Selection:
    return Selection() if choice.outcomes or choice.decision else selection(store)


def _scored(store: Store, choice: Choice, wanted: Selection) -> Iterator[Row]:
    found = (
        row
        for row in store.chosen(choice)
        if all(_score(row, name) >= value for name, value in wanted.least.items())
    )
    if not wanted.best:
        yield from found
        return
    for _, group in groupby(found, key=lambda row: (row.passage_sha256, row.task_type)):
        rows = list(group)
        best = {row.id for row in nlargest(wanted.best, rows, lambda row: _score(row, wanted.by))}
        yield from (row for row in rows if row.id in best)


def _score(row: Row, name: str) -> float:
    """A row's score; without it, less than any."""
    found: float | None = getattr(row, name)
    return float("-inf") if found is None else found
