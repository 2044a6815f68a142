"""Macro F1, SQuAD's token F1, and intervals by the bootstrap. Numbers are shares, 0 to 1."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]

_RESAMPLES = 1000
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_SIGNS = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def macro_f1(right: Whole, drawn: Whole, classes: int) -> float:
    """Mean F1 of the classes that occur in `right` or `drawn`, as scikit-learn's macro average.

    Both are (items,), of class numbers below `classes`.
    """
    table = np.bincount(right * classes + drawn, minlength=classes * classes)
    table = table.reshape(classes, classes)
    hits, both = np.diagonal(table), table.sum(0) + table.sum(1)
    there = both > 0
    return float((2 * hits[there] / both[there]).mean()) if there.any() else 0.0


def mean_macro_f1(right: Whole, drawn: Whole, classes: int) -> float:
    """Macro F1 over templates: `drawn` is (templates, items)."""
    return float(np.mean([macro_f1(right, of, classes) for of in drawn]))


def token_f1(answer: str, right: str) -> float:
    """SQuAD v1.1's: words shared, without case, punctuation and articles."""
    one, two = _tokens(answer), _tokens(right)
    shared = sum((Counter(one) & Counter(two)).values())
    return 2 * shared / (len(one) + len(two)) if shared else 0.0


def _tokens(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_SIGNS)).split()


def bootstrap(measure: Callable[[Whole], float], items: int, seed: int) -> Estimate:
    """`measure` of all items, and its percentile interval over items drawn with replacement.

    It is given the numbers of the items. Templates and seeds of one item belong together: an
    item is drawn with all of them.
    """
    rng = np.random.default_rng(seed)
    drawn = [measure(rng.integers(0, items, items)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(measure(np.arange(items)), float(low), float(high))
