"""Splitting a text into passages by a model's own token count."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bonito_local.passages.boundaries import Boundaries
from bonito_local.passages.types import Section, Text

# The tokens of a text: at most one for each of its bytes in UTF-8.
CountTokens = Callable[[str], int]
LeftOut = Literal["", "short", "letterless", "unbroken"]
Part = tuple[int, int, LeftOut]

_SMALL = 120  # characters, about 20 words: less is joined to a neighbour
_TINY = 40  # less, with no neighbour to join, is left out
_FILL = 0.85  # of the limit, so that parts can end with a sentence and come out alike
_FULL = 0.95  # of the limit by estimate: what is more is likely to be too long
_SAMPLE = 2000  # characters counted to estimate what the others count
_STRETCH = 500_000  # characters: more of a section is cut at a blank, to bound time and memory
_UNBROKEN = re.compile(r"[^\s。！？；，、]{1000,}")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long passages may be, in tokens: at most `most`, about `target` where they are parts.

    Each part of a section begins with up to `overlap` tokens of the part before it, in whole
    sentences. `target` is 85% of `most` when not given.
    """

    most: int
    target: int | None = None
    overlap: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is a passage under the headings `path`, or left out and why.

    `part` is true of one of those that a longer text was cut into.
    """

    start: int
    end: int
    path: tuple[str, ...] = ()
    left_out: LeftOut = ""
    part: bool = False


def split_text(doc: Text, count_tokens: CountTokens, lengths: Lengths) -> Iterator[Span]:
    """Yield a document's passages, and what is left out of them, in order.

    A passage has at most `lengths.most` tokens and ends, where it can, with a paragraph
    or a sentence. Sections are not mixed, save that one of less than about 20 words is
    joined, with its heading, to a neighbour. Left out are fragments without a neighbour that
    are shorter than 40 characters or mostly no letters, and runs of 1,000 characters and more
    without a space (encoded data, marks piled on a letter). Each character is counted about
    once, so time grows with the length of the text.
    """
    meter = _Meter(doc.text, count_tokens, lengths)
    headings = {section.body: section.start for section in doc.sections}
    before: Span | None = None
    for section in doc.sections:
        for span in _spans(doc.text, section, meter):
            joined = before and _joined(doc.text, before, span, headings, meter)
            if before and not joined:
                yield _judged(doc.text, before)
            before = joined or span
    if before:
        yield _judged(doc.text, before)


class _Meter:
    """Counts tokens, as seldom as it can: a length in characters tells about how many there are."""

    def __init__(self, text: str, count_tokens: CountTokens, lengths: Lengths) -> None:
        self._count = count_tokens
        self.lengths = lengths
        sample = text[:_SAMPLE]
        self._ratio = max(1, count_tokens(sample)) / max(1, len(sample))

    def fits(self, text: str) -> bool:
        """Whether a text is no passage too long; what it counts improves the estimates."""
        if len(text) <= self.lengths.most and text.isascii():
            return True
        if len(text) > 3 * self.characters(self.lengths.most):
            return False
        tokens = self._count(text)
        self._ratio = (self._ratio + max(1, tokens) / len(text)) / 2
        return tokens <= self.lengths.most

    def characters(self, tokens: float) -> float:
        """About how many characters have so many tokens."""
        return tokens / self._ratio


def _spans(text: str, section: Section, meter: _Meter) -> Iterator[Span]:
    for start, end, unbroken in _stretches(text, section.body, section.end):
        if unbroken:
            yield Span(start, end, section.path, "unbroken")
            continue
        for a, b, left_out in _parts(text, start, end, meter):
            a, b = _stripped(text, a, b)
            if a < b:
                yield Span(a, b, section.path, left_out, part=(a, b) != (start, end))


def _stretches(text: str, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Yield what of a section can be split, and the runs without a space between."""
    at = start
    while at < end:
        run = _UNBROKEN.search(text, at, end)
        stop = run.start() if run else end
        while at < stop:
            cut = stop if stop - at <= _STRETCH else _blank(text, at + _STRETCH, stop)
            stripped = _stripped(text, at, cut)
            if stripped[0] < stripped[1]:
                yield (*stripped, False)
            at = cut
        if run:
            yield (*run.span(), True)
            at = run.end()


def _blank(text: str, at: int, end: int) -> int:
    """Return where a paragraph after `at` ends, or at least a word."""
    near = min(end, at + 10_000)
    found = text.find("\n\n", at, near)
    if found < 0:
        blank = re.compile(r"\s").search(text, at, near)
        found = blank.start() if blank else at
    return found


def _parts(text: str, start: int, end: int, meter: _Meter) -> Iterator[Part]:
    """Cut a stretch into parts of about the same size, none above the limit."""
    most, overlap = meter.lengths.most, meter.lengths.overlap
    target = min(meter.lengths.target or most, _FILL * most)
    boundaries = None
    while start < end:
        rest, began = end - start, start
        if overlap and boundaries:
            began = boundaries.before(start, int(meter.characters(overlap)))
        whole = meter.characters(min(1.1 * most, 1.5 * target))
        if end - began <= whole and meter.fits(text[began:end]):
            yield began, end, ""
            return
        boundaries = boundaries or Boundaries(text, start, end)
        parts = math.ceil(rest / meter.characters(_FULL * most - overlap))
        wanted = rest / max(2, parts, round(rest / meter.characters(target)))
        part, start = _part(text, (began, start, end), boundaries, wanted, meter)
        yield part


def _part(
    text: str,
    place: tuple[int, int, int],
    boundaries: Boundaries,
    wanted: float,
    meter: _Meter,
) -> tuple[Part, int]:
    """Return a part that fits, and where the next one starts."""
    began, start, end = place
    room = min(end - start, meter.characters(_FULL * meter.lengths.most - meter.lengths.overlap))
    while True:
        cut = boundaries.best(start, wanted, max(1, int(room)))
        if meter.fits(text[began : cut.end]):
            return (began, cut.end, ""), cut.start
        if began < start:
            began = start  # the overlap is what gives way
        elif cut.end - start <= 1:
            return (start, cut.end, "short"), cut.start
        else:
            wanted = room = 0.8 * (cut.end - start)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    cut = text[start:end]
    start += len(cut) - len(cut.lstrip())
    return start, start + len(cut.strip())


def _joined(text: str, a: Span, b: Span, headings: Mapping[int, int], meter: _Meter) -> Span | None:
    """Join two spans, one of few words, where both fit; the first with its heading."""
    if a.left_out or b.left_out or min(a.end - a.start, b.end - b.start) >= _SMALL:
        return None
    start = headings.get(a.start, a.start)
    if not meter.fits(text[start : b.end]):
        return None
    return Span(start, b.end, _common(a.path, b.path))


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return a[:same]


def _judged(text: str, span: Span) -> Span:
    """Say of a span whether it is prose; the bullet is left off one that is a single item."""
    passage = text[span.start : span.end]
    if span.left_out:
        return span
    if passage.startswith("- ") and "\n- " not in passage:
        span = replace(span, start=span.start + 2)
    # A part of a longer text is no fragment, however short passages have to be.
    if not span.part and span.end - span.start < _TINY:
        return replace(span, left_out="short")
    letters = sum(map(str.isalpha, passage))
    if letters < len("".join(passage.split())) / 2:
        return replace(span, left_out="letterless")
    return span
