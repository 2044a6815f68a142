"""Where a text may be cut: after paragraphs, lines and sentences, else clauses, else words."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

# What a cut costs, as a share of a passage's length: so far it may lie from the best place.
_PARAGRAPH, _LINE, _SENTENCE = 0.0, 0.08, 0.15
_INTRODUCTION = 0.4  # more, where it would part "as follows:" from what follows
_NARROW, _WIDE = 0.5, 0.3  # of the wanted length: no passage ends before

_ENDS = re.compile(
    r"""(?P<paragraph>\n\s*\n\s*) | (?P<line>\n\s*)
    | (?P<mark>[.!?\u2026])["'\u201d\u2019)\]]*\s++(?![a-z]) | [\u3002\uff01\uff1f]+\s*""",
    re.VERBOSE,
)
# A full stop after these ends no sentence.
_ABBREVIATION = re.compile(
    r"""(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Art|Sec|Fig|Inc|Ltd|Co|Corp|vs|cf|al|etc|approx|[A-Z])
    |\b(?:e\.g|i\.e|U\.S|U\.K|a\.m|p\.m)|(?<![^\n])[^\w\n]{0,9}\d{1,3})(\.)(?=\s)""",
    re.VERBOSE,
)
_FINER = tuple(
    re.compile(pattern)
    for pattern in (r"[;\uff1b]\s+|\uff1b", r"[,:\uff0c\u3001]\s+|[\uff0c\u3001]", r"\s+")
)


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage ends at `end`, the next one starts at `start`; white space lies between."""

    end: int
    start: int


class Boundaries:
    """The cuts of `text[start:end]` that part paragraphs, lines and sentences."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._end = text, end
        self._ends: list[int] = []
        self._starts: list[int] = []
        self._costs: list[float] = []
        short = {found.start(1) for found in _ABBREVIATION.finditer(text, start, end)}
        for found in _ENDS.finditer(text, start, end):
            if found.start() in short or found.end() >= end or found.start() <= start:
                continue
            if found["paragraph"] or found["line"]:
                at, cost = found.start(), _PARAGRAPH if found["paragraph"] else _LINE
            else:
                at, cost = found.start() + len(found[0].rstrip()), _SENTENCE
            self._ends.append(at)
            self._starts.append(found.end())
            self._costs.append(cost + _INTRODUCTION * (text[at - 1] == ":"))

    def best(self, start: int, wanted: float, most: int) -> Cut:
        """Return the best cut for a passage from `start`, of about `wanted` characters.

        It has at most `most`; where nothing better can be had it ends within a word.
        """
        wanted = min(wanted, most)
        for least, longest in ((_NARROW, int(1.5 * wanted) + 1), (_WIDE, most)):
            first = bisect_left(self._ends, start + max(1, int(least * wanted)))
            last = bisect_right(self._ends, start + min(longest, most))
            if first >= last:
                continue
            at = min(
                range(first, last),
                key=lambda i: abs(self._ends[i] - start - wanted) / wanted + self._costs[i],
            )
            return Cut(self._ends[at], self._starts[at])
        high = start + min(int(1.5 * wanted) + 1, most)
        low = start + max(1, int(_WIDE * wanted))
        for pattern in _FINER:
            found = [m for m in pattern.finditer(self._text, low - 1, high + 1) if m.end() > low]
            kept = [m for m in found if m.start() + len(m[0].rstrip()) <= high]
            if kept:
                near = min(kept, key=lambda m: abs(m.start() - start - wanted))
                return Cut(near.start() + len(near[0].rstrip()), near.end())
        return Cut(start + max(1, min(int(wanted), most)), start + max(1, min(int(wanted), most)))

    def before(self, end: int, most: int) -> int:
        """Return where the last sentences of at most `most` characters before `end` begin."""
        at = bisect_left(self._starts, end - most)
        return self._starts[at] if at < len(self._starts) and self._starts[at] < end else end
