"""The account of a job: what was planned, and how each of it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["accepted", "unparseable", "rejected", "duplicate", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("accepted", "unparseable", "rejected", "duplicate", "failed")
PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples of one task ended in one way; `outcome` may be "pending"."""

    task: str
    outcome: str
    reason: str
    samples: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Counts over every passage x task x sample of a job; each sample is in exactly one."""

    counts: tuple[Count, ...]

    @property
    def planned(self) -> int:
        """All samples: the outcomes and what is pending."""
        return sum(c.samples for c in self.counts)

    @property
    def pending(self) -> int:
        """Samples without an outcome yet."""
        return self.total(PENDING)

    @property
    def accepted(self) -> int:
        """Samples that are rows of the dataset."""
        return self.total("accepted")

    def total(self, outcome: str, task: str | None = None) -> int:
        """Samples that ended in `outcome`, of one task or of all."""
        return sum(
            c.samples for c in self.counts if c.outcome == outcome and task in (None, c.task)
        )

    def tasks(self) -> list[str]:
        """Tasks that were planned, in the ledger's order."""
        return list(dict.fromkeys(c.task for c in self.counts))

    def reasons(self) -> list[Count]:
        """Why samples were rejected or failed, over all tasks, most frequent first."""
        sums: Counter[tuple[str, str]] = Counter()
        for count in self.counts:
            if count.reason:
                sums[count.outcome, count.reason] += count.samples
        return [Count("", outcome, why, n) for (outcome, why), n in sums.most_common()]

    def as_json(self) -> dict[str, Any]:
        """The ledger as plain data: totals, by task, and by reason."""
        columns = (*OUTCOMES, PENDING)
        return {
            "planned": self.planned,
            "outcomes": {name: self.total(name) for name in columns},
            "tasks": {
                task: {name: self.total(name, task) for name in columns} for task in self.tasks()
            },
            "reasons": [
                {"outcome": c.outcome, "reason": c.reason, "samples": c.samples}
                for c in self.reasons()
            ],
        }


def ledger(counts: Iterable[tuple[str, str, str, int]]) -> Ledger:
    """Build a ledger from (task, outcome, reason, samples) tuples."""
    return Ledger(tuple(Count(*row) for row in counts))
