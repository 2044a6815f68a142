"""What is counted of the rows of an export while they pass by: tasks, labels, lengths, examples.

Memory does not grow with the rows: lengths are counted by word count, labels are given up where
there are too many of them, and an example is the row whose name has the least hash.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from bonito_local.checks.answers import question_in
from bonito_local.checks.text import normalize, without_passage
from bonito_local.exports.preferences import Preference
from bonito_local.exports.row import SCORES, Row

_MOST_LABELS = 12
_LONGEST_LABEL = 40  # characters
_MOST_ASKED = 100_000  # rows whose questions are compared
LENGTHS = ("passage", "input", "output")


@dataclass(slots=True)
class Tally:
    """Counts over rows.

    `rows` counts by (task, split), `labels` each task's responses, None where they are free
    text, `words` each text's lengths in words, `scores` each score in hundredths, `documents`
    the documents by split. `asked` are hashes of what the first rows ask without their passage,
    of so many rows `read`. `wrong` are rows whose answer is an example of a wrong one, `origins`
    count pairs by why one answer is better.
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: dict[str, Counter[str] | None] = field(default_factory=dict)
    words: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in LENGTHS}
    )
    scores: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in SCORES}
    )
    examples: dict[str, Row] = field(default_factory=dict)
    documents: dict[str, set[bytes]] = field(default_factory=dict)
    edited: int = 0
    asked: set[bytes] = field(default_factory=set)
    read: int = 0
    wrong: int = 0
    origins: Counter[str] = field(default_factory=Counter)
    _least: dict[str, bytes] = field(default_factory=dict)

    def add(self, row: Row, split: str) -> None:
        """Count a row."""
        self.rows[row.task_type, split] += 1
        self.edited += row.edited
        if isinstance(row, Preference):
            self.wrong += not row.label
            self.origins[row.origin] += 1
        self.documents.setdefault(split, set()).add(row.source_sha256[:16].encode())
        for name in LENGTHS:
            self.words[name][len(getattr(row, name).split())] += 1
        for name in SCORES:
            if (score := getattr(row, name)) is not None:
                self.scores[name][round(100 * score)] += 1
        self._label(row)
        if self.read < _MOST_ASKED:
            question = question_in(without_passage(row.input, row.passage))
            self.asked.add(blake2b(normalize(question).encode(), digest_size=8).digest())
            self.read += 1
        drawn = blake2b(row.id.encode(), digest_size=8).digest()
        if row.task_type not in self._least or drawn < self._least[row.task_type]:
            self._least[row.task_type], self.examples[row.task_type] = drawn, row

    def _label(self, row: Row) -> None:
        seen = self.labels.setdefault(row.task_type, Counter())
        if seen is None:
            return
        label = row.output.strip()
        if len(label) <= _LONGEST_LABEL:
            seen[label] += 1
        if len(label) > _LONGEST_LABEL or len(seen) > _MOST_LABELS:
            self.labels[row.task_type] = None

    @property
    def distinct(self) -> float:
        """The share of rows that ask what no other does, one of those alike counted; 1 of none."""
        return len(self.asked) / self.read if self.read else 1.0

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.rows.total()

    def tasks(self) -> dict[str, int]:
        """Rows by task, most first."""
        sums: Counter[str] = Counter()
        for (task, _), count in self.rows.items():
            sums[task] += count
        return dict(sums.most_common())

    def in_split(self, split: str) -> int:
        """Rows of a split."""
        return sum(count for (_, name), count in self.rows.items() if name == split)

    def label_sets(self) -> dict[str, Counter[str]]:
        """The labels of tasks whose responses are labels: few, and each seen twice on average."""
        return {
            task: seen
            for task, seen in self.labels.items()
            if seen and seen.total() >= 2 * len(seen)
        }


def quantile(counts: Counter[int], share: float) -> int:
    """The smallest number that is not exceeded by `share` of those counted; 0 of none."""
    left = share * counts.total()
    for length in sorted(counts):
        left -= counts[length]
        if left <= 0:
            return length
    return 0
