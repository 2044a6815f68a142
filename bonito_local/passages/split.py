"""Splitting a text into passages by a model's own token count."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bonito_local.passages.types import Text

CountTokens = Callable[[str], int]

_SMALL = 120  # characters, about 20 words: less is joined to a neighbour
_TINY = 40  # less, with no neighbour to join, is left out
_FILL = 0.85  # of the limit, so that parts can end with a sentence and come out alike

# A full stop after these ends no sentence; it is masked while splitting.
_ABBREVIATION = re.compile(
    r"""(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Art|Sec|Fig|Inc|Ltd|Co|Corp|vs|cf|al|etc|approx|[A-Z])
    |\b(?:e\.g|i\.e|U\.S|U\.K|a\.m|p\.m)|^\W*\d{1,3}|\n\W*\d{1,3})(\.)(?=\s)""",
    re.VERBOSE,
)
# Stand-ins of the same length: one ends no sentence, the others (rare marks) do.
_UNBROKEN = re.compile(r"[^\s。！？；，、]{1000,}")
_ENDLESS = re.compile(r"[^.!?\n。！？]{10000,}")
_SPACED = re.compile(r"[^.!?\n。！？]{5000}\S{0,1000}\s")
_MASKS = {".": "\ue000", ";": "\u203c", ",": "\u2047"}
_UNMASKED = {ord(mask): shown for shown, mask in _MASKS.items()}


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is a passage; `path` the headings above it."""

    start: int
    end: int
    path: tuple[str, ...] = ()


def split_text(doc: Text, count_tokens: CountTokens, max_tokens: int) -> tuple[list[Span], int]:
    """Return a document's passages in order, and the number of fragments left out.

    A passage has at most `max_tokens` tokens and ends, where it can, with a paragraph
    or a sentence. Sections are not mixed, save that one of less than about 20 words is
    joined, with its heading, to a neighbour. Fragments without a neighbour are left out
    when they are shorter than 40 characters, or mostly no letters.
    """
    spans: list[Span] = []
    unbroken = 0
    for section in doc.sections:
        stretches, left_out = _stretches(doc.text, section.body, section.end)
        unbroken += left_out
        for start, end in stretches:
            parts = _parts(doc.text[start:end], count_tokens, max_tokens)
            spans += [Span(start + a, start + b, section.path) for a, b in parts]
    joined = [_unbulleted(doc.text, s) for s in _join_small(doc, spans, count_tokens, max_tokens)]
    kept = [span for span in joined if _is_prose(doc.text[span.start : span.end])]
    return kept, len(joined) - len(kept) + unbroken


def _stretches(text: str, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """Return what of a section can be split in a time that grows with its length, and no faster.

    Runs of a thousand characters and more without a space are left out and counted: they are
    no prose (encoded data, marks piled on a letter). A sentence that does not end is cut.
    """
    runs = [run.span() for run in _UNBROKEN.finditer(text, start, end)]
    starts, ends = [start, *(b for _, b in runs)], [*(a for a, _ in runs), end]
    stretches: list[tuple[int, int]] = []
    for a, b in zip(starts, ends, strict=True):
        cuts = [
            space.end()
            for sentence in _ENDLESS.finditer(text, a, b)
            for space in _SPACED.finditer(text, *sentence.span())
        ]
        stretches += pairwise([a, *cuts, b])
    if len(stretches) == 1:
        return stretches, 0
    stripped = (_stripped(text, a, b) for a, b in stretches)
    return [(a, b) for a, b in stripped if a < b], len(runs)


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    cut = text[start:end]
    start += len(cut) - len(cut.lstrip())
    return start, start + len(cut.strip())


def _join_small(
    doc: Text, spans: Sequence[Span], count_tokens: CountTokens, max_tokens: int
) -> list[Span]:
    """Join spans of few words to the next span, else to the one before, where both fit."""
    headings = {section.body: section.start for section in doc.sections}
    joined: list[Span] = []
    for span in spans:
        before = joined[-1] if joined else None
        if before and min(before.end - before.start, span.end - span.start) < _SMALL:
            start = headings.get(before.start, before.start)
            if count_tokens(doc.text[start : span.end]) <= max_tokens:
                joined[-1] = Span(start, span.end, _common(before.path, span.path))
                continue
        joined.append(span)
    return joined


def _unbulleted(text: str, span: Span) -> Span:
    """Leave the bullet off a passage that is one item of a list."""
    passage = text[span.start : span.end]
    if passage.startswith("- ") and "\n- " not in passage:
        return Span(span.start + 2, span.end, span.path)
    return span


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    return a[:same]


def _is_prose(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return len(text) >= _TINY and letters >= len("".join(text.split())) / 2


def _parts(text: str, count_tokens: CountTokens, max_tokens: int) -> list[tuple[int, int]]:
    """Cut a section into parts of about the same size, none above the limit."""
    total = count_tokens(text)
    if total <= max_tokens:
        return [(0, len(text))]
    target = math.ceil(total / math.ceil(total / (_FILL * max_tokens)))
    parts = _cut(text, count_tokens, target, max_tokens)
    if len(parts) > 1:
        (start, middle), (_, end) = parts[-2:]
        if end - middle < (middle - start) / 2:  # a short rest: halve the last two anew
            rest = text[start:end]
            half = math.ceil(count_tokens(rest) / 2)
            parts[-2:] = [
                (start + a, start + b) for a, b in _cut(rest, count_tokens, half, max_tokens)
            ]
    return parts


def _cut(
    text: str, count_tokens: CountTokens, target: int, max_tokens: int
) -> list[tuple[int, int]]:
    from semantic_text_splitter import TextSplitter

    sizes = (min(target, max_tokens), max_tokens)
    longest = int(max_tokens * len(text) / max(1, count_tokens(text)))
    masked = _masked(text, longest)
    splitter = TextSplitter.from_callback(
        lambda piece: count_tokens(piece.translate(_UNMASKED)), sizes
    )
    parts = []
    for start, chunk in splitter.chunk_indices(masked):
        parts += _halve(text, start, start + len(chunk), count_tokens, max_tokens)
    return parts


def _masked(text: str, longest: int) -> str:
    """Return the text, character for character, with other ends of sentences.

    Abbreviations end none; in a sentence of more than `longest` characters the
    semicolons do, or the commas if it has none.
    """
    if any(mask in text for mask in _MASKS.values()):
        return text
    masked = _ABBREVIATION.sub(lambda found: found[0][:-1] + _MASKS["."], text)

    def part(found: re.Match[str]) -> str:
        sentence = found[0]
        mark = ";" if "; " in sentence else ","
        return sentence.replace(f"{mark} ", f"{_MASKS[mark]} ")

    return re.sub(rf"[^.!?\n]{{{longest},}}", part, masked)


def _halve(
    text: str, start: int, end: int, count_tokens: CountTokens, max_tokens: int
) -> list[tuple[int, int]]:
    """Cut what the splitter could not make small enough: one "word" of many tokens."""
    if count_tokens(text[start:end]) <= max_tokens:
        return [(start, end)]
    if end - start < 2:
        return []
    middle = (start + end) // 2
    left = _halve(text, start, middle, count_tokens, max_tokens)
    return left + _halve(text, middle, end, count_tokens, max_tokens)
