"""Completeness: the words of a document compared with those of the text extracted from it.

Every reader has a second, simpler way to a document's words: the page text of a PDF, the text
nodes of an XML part, the cells of a sheet. Words that the layout analysis lost, doubled or
changed show as a difference between the two counts. The order of words is compared by runs of
five words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from bonito_local.passages.types import Note

_SHARE = 0.01  # of a document's words that differ: fewer are not reported
_PART_SHARE, _PART_WORDS = 0.05, 5  # lost in one part, however long the document
_RUN, _FEWEST_RUNS = 5, 8  # words whose order is compared, and runs that differ
_MOST_NAMED = 10
_BUCKETS = 1 << 20  # words are counted by hash: bounds memory at any vocabulary
# A hyphen joins two halves of a word, over a line's end as well; signs without spaces between
# them (Chinese, Japanese) are a word each.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"
    r"|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
    r"(?:[-\xad\u2010\u2011\x02\ufffe]\s*[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)*"
)
_JOINT = re.compile(r"[-\xad\u2010\u2011\x02\ufffe\s]+")
_HYPHENS = "-\xad\u2010\u2011\x02\ufffe"
_MOST_HALVES = 8
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_COMPARE = "Compare the passages with the document; if they are wrong, leave it out."


@dataclass(frozen=True, slots=True)
class Part:
    """The raw words of a page, a slide or a sheet; `name` says which ("4", "Costs")."""

    name: str
    words: str


def check_completeness(
    parts: Sequence[Part],
    text: str,
    *,
    unit: str = "page",
    left_out: Iterable[str] = (),
    added: Iterable[str] = (),
) -> list[Note]:
    """Compare a document's raw words with its extracted text. Return a note for each difference.

    Args:
        parts: the raw words, by page, slide, sheet or the like.
        text: what the passages are cut from.
        unit: what a part is called in the notes.
        left_out: texts that the reader drops on purpose (page numbers, running headers). They
            do not count as lost. The reader reports them where a user would miss them.
        added: texts that the reader puts in on purpose (column names on every row).
    """
    parts = list(_with_whole_words(parts))
    raw: Counter[int] = Counter()
    for part in parts:
        raw.update(_hashes(part.words))
    for dropped in left_out:
        raw.subtract(_hashes(dropped))
    kept = Counter(_hashes(text))
    total = sum(count for count in raw.values() if count > 0)
    lost = {key: count - kept[key] for key, count in raw.items() if count > kept[key]}
    for put_in in added:
        kept.subtract(_hashes(put_in))
    more = {key: count - raw[key] for key, count in kept.items() if count > max(0, raw[key])}
    doubled = sum(count for key, count in more.items() if raw[key] > 0)
    changed = sum(count for key, count in more.items() if raw[key] <= 0)
    return [*_lost(parts, raw, lost, total, unit), *_surplus(doubled, changed, total)]


def difference(raw: str, text: str, added: Iterable[str] = ()) -> float:
    """Return the share of a part's words that its text lost, doubled or changed."""
    counts = Counter(_hashes(raw))
    total = counts.total()
    counts.subtract(_hashes(text))
    for put_in in added:
        counts.update(_hashes(put_in))
    return sum(map(abs, counts.values())) / max(1, total)


def order_difference(raw: str, text: str, left_out: Iterable[str] = ()) -> float:
    """Return the share of a part's runs of five words that its text does not hold.

    Runs with words that are left out on purpose are not counted. Fewer than eight, as two places
    where the text goes on elsewhere make, are 0.
    """
    words = list(_hashes(raw))
    runs = _runs(words)
    missing = (runs - _runs(list(_hashes(text)))).total()
    for dropped in left_out:
        if count := sum(1 for _ in _hashes(dropped)):
            missing -= count + _RUN - 1
    return missing / runs.total() if missing >= _FEWEST_RUNS else 0.0


def words_of_text(text: str) -> Iterator[str]:
    """Yield the words of a text in the form in which they are compared.

    Lower case, hyphens inside a word and line ends after a hyphen taken out.
    """
    for match in _WORD.finditer(_clean(text)):
        word = match[0]
        yield (word if word.isalnum() else _JOINT.sub("", word)).casefold()


def _runs(words: Sequence[int]) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(words[at:] for at in range(_RUN)), strict=False))


def _with_whole_words(parts: Iterable[Part]) -> Iterator[Part]:
    """Move the first half of a word that a hyphen ends a part with to the part after."""
    half = ""
    for part in parts:
        words = half + _clean(part.words)
        rest = words
        for _ in range(_MOST_HALVES):
            tail = rest.rstrip()
            if not tail or tail[-1] not in _HYPHENS:
                break
            rest = tail[: len(tail) - len(tail.rsplit(None, 1)[-1])]
        half = words[len(rest) :] if rest.rstrip() != words.rstrip() else ""
        yield Part(part.name, words.removesuffix(half))
    if half:
        yield Part("", half)


def _clean(text: str) -> str:
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def _hashes(text: str) -> Iterator[int]:
    for word in words_of_text(text):
        yield crc32(word.encode("utf-8", "surrogatepass")) % _BUCKETS


def _lost(
    parts: Sequence[Part], raw: Counter[int], lost: dict[int, int], total: int, unit: str
) -> Iterator[Note]:
    """Report lost words and the parts that lost them.

    A part is judged by the words that only it has. Where those are few, the count of each lost
    word is spread over the parts that hold the word.
    """
    named = []
    for part in parts if lost else ():
        counts = Counter(_hashes(part.words))
        own = {key: count for key, count in counts.items() if count == raw[key]}
        if sum(own.values()) >= _PART_WORDS:
            counts = Counter(own)
        share = sum(count * lost[key] / raw[key] for key, count in counts.items() if key in lost)
        if share >= _PART_WORDS and share >= _PART_SHARE * counts.total():
            named.append(part.name)
    count = sum(lost.values())
    if named or (count > 1 and count >= _SHARE * total):
        where = f": {_names(named, unit)}" if named and len(parts) > 1 else ""
        yield Note(f"{_of(count, total)} of the words are in no passage{where}.", _COMPARE)


def _surplus(doubled: int, changed: int, total: int) -> Iterator[Note]:
    least = max(2.0, _SHARE * total)
    if doubled >= least:
        title = f"{_of(doubled, total)} of the words stand more often in the passages."
        yield Note(title, _COMPARE)
    if changed >= least:
        title = f"{_of(changed, total)} of the words in the passages are not in the document."
        yield Note(title, _COMPARE)


def _of(count: int, total: int) -> str:
    percent = 100 * count / total if total else 100
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.1g} %"


def _names(named: Sequence[str], unit: str) -> str:
    shown = ", ".join(named[:_MOST_NAMED]) + ", ..." * (len(named) > _MOST_NAMED)
    return f"{unit}{'s' * (len(named) > 1)} {shown}"
