"""Which accepted rows go into a dataset: by their scores, and by the balance of labels.

What is not selected stays in the job, accepted as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Literal

from bonito_local.checks.balance import answer_of
from bonito_local.errors import UsageError, did_you_mean
from bonito_local.jobs.chosen import Choice, Chosen
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.store import Store

# agreement: how alike the model's other answers to the instruction are, 0 to 1.
# support: mean log-probability of the response's tokens, given passage and instruction.
# gain: by how much that is more than without the passage.
Score = Literal["agreement", "support", "gain"]
SCORES: tuple[Score, ...] = ("agreement", "support", "gain")


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
    if wanted.best < 0:
        raise UsageError(f"The best {wanted.best} rows.", "Ask for 1 or more, or 0 for all.")


def selection(store: Journal) -> Selection:
    """The selection that the job's datasets are written with."""
    return Selection(**(store.load("selection") or {}))


def select_by(store: Journal, wanted: Selection) -> None:
    """Write the job's datasets with this selection from now on."""
    check_selection(wanted)
    store.save("selection", asdict(wanted) | {"least": dict(wanted.least)})


def selected(store: Store, choice: Choice) -> Iterator[Chosen]:
    """Yield the rows of a choice that the job's selection lets through.

    Rows chosen by their outcome or a decision are all there.
    """
    wanted = selection(store)
    if choice.outcomes or choice.decision or not str(wanted):
        yield from store.chosen(choice)
        return
    if not wanted.balance:
        yield from _scored(store, choice, wanted)
        return
    types = remember(store, [])
    labels = tuple((store.load("request") or {}).get("labels", ()))

    def answer(row: Chosen) -> tuple[str, str]:
        return row.task, answer_of(types[row.task], row.response, labels)

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
        keep = fewest.get(row.task, of) if key[1] else of
        # Every so many of them, from all documents: the same rows each time.
        if (at + 1) * keep // of > at * keep // of:
            yield row


def _scored(store: Store, choice: Choice, wanted: Selection) -> Iterator[Chosen]:
    if not (wanted.least or wanted.best):
        yield from store.chosen(choice)
        return
    for _, group in groupby(store.chosen(choice), key=lambda row: (row.passage_hash, row.task)):
        kept = []
        for row in group:
            scores = store.scores(row.passage_hash, row.task, row.sample, row.attempt)
            if all(scores.get(n, float("-inf")) >= value for n, value in wanted.least.items()):
                kept.append((scores.get(wanted.by, float("-inf")), row))
        if wanted.best:
            best = sorted(kept, key=lambda pair: -pair[0])[: wanted.best]
            kept = [pair for pair in kept if pair in best]
        yield from (row for _, row in kept)
