"""Whether two engines draw from the same distribution: a chi-squared test of two histograms."""

from __future__ import annotations

from collections import Counter

import numpy as np


def check_same_distribution(first: Counter[str], other: Counter[str]) -> None:
    """Fail where so large a difference would come by chance once in a thousand times."""
    common = [text for text in first | other if first[text] + other[text] >= 10]
    assert len(common) >= 5
    table = np.array([[counts[text] for text in common] for counts in (first, other)], float)
    totals = np.array([[first.total()], [other.total()]], float)
    rest = totals - table.sum(1, keepdims=True)
    if rest.sum() >= 10:
        table = np.hstack([table, rest])
    wanted = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    statistic, freedom = ((table - wanted) ** 2 / wanted).sum(), table.shape[1] - 1
    # Wilson and Hilferty's bound.
    cube = 1 - 2 / (9 * freedom) + 3.09 * (2 / (9 * freedom)) ** 0.5
    assert statistic < freedom * cube**3
