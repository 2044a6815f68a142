"""Keeping kinds of things near their shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class Shares:
    """Counts kinds of things, and says which of them is furthest behind its share."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = shares
        self._counts: Counter[str] = Counter()

    def order(self) -> list[str]:
        """Return all kinds, the one furthest behind first."""
        return sorted(self._shares, key=lambda kind: self._counts[kind] / self._shares[kind])

    def ahead(self, kind: str) -> bool:
        """Whether a kind has clearly more than its share."""
        share = self._shares[kind] / sum(self._shares.values())
        return self._counts[kind] > 1.05 * share * self._counts.total() + 20

    def add(self, kind: str) -> None:
        """Count one more of a kind."""
        self._counts[kind] += 1

    def copy(self) -> Shares:
        """Return the same counts, to try what may come next."""
        other = Shares(self._shares)
        other._counts.update(self._counts)
        return other
