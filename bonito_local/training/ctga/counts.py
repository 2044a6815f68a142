"""What became of every example: rows by dataset and task type, and the rest by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Why an example has no row. With `templating.reasons` and the rows these are all that was read.
UNREADABLE = "line cannot be read"
OVER_CAP = "over the dataset's cap"
REPEATED = "repeats another example"
TOO_LONG = "longer than the limit"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A template that no row is made by."""

    dataset: str
    template: str
    why: str


@dataclass(frozen=True, slots=True)
class Unused:
    """A dataset that gave no row at all; `remedy` is what the user can do."""

    dataset: str
    why: str
    remedy: str = ""


@dataclass(slots=True)
class Counts:
    """Examples `read` by dataset, `rows` by (dataset, task), `dropped` by (dataset, reason).

    `cut` are rows in which a text was cut, by dataset. `absent` are datasets that are not there,
    `unused` those that are and cannot be used.
    """

    read: Counter[str] = field(default_factory=Counter)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    left_out: list[LeftOut] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)
    absent: tuple[str, ...] = ()

    def of(self, dataset: str) -> tuple[int, int]:
        """Rows and dropped examples of a dataset."""
        rows = sum(n for (name, _), n in self.rows.items() if name == dataset)
        return rows, sum(n for (name, _), n in self.dropped.items() if name == dataset)

    def tasks(self) -> Counter[str]:
        """Rows by task type."""
        return _second(self.rows)

    def reasons(self) -> Counter[str]:
        """Examples without a row, by reason."""
        return _second(self.dropped)

    def plain(self) -> dict[str, Any]:
        """All of it as plain data."""
        datasets = {}
        for name in self.read:
            datasets[name] = {
                "read": self.read[name],
                "rows": {task: n for (of, task), n in self.rows.items() if of == name},
                "dropped": {why: n for (of, why), n in self.dropped.items() if of == name},
                "cut": self.cut[name],
            }
        return {
            "rows": self.rows.total(),
            "tasks": dict(self.tasks().most_common()),
            "dropped": dict(self.reasons().most_common()),
            "datasets": datasets,
            "templates_left_out": [
                {"dataset": out.dataset, "template": out.template, "why": out.why}
                for out in self.left_out
            ],
            "unused": {out.dataset: out.why for out in self.unused},
            "absent": list(self.absent),
        }


def _second(counts: Counter[tuple[str, str]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for (_, name), count in counts.items():
        sums[name] += count
    return sums
