"""Examples of preferences from what a job has: its checks, second readings and review.

A rejected answer is one that was found wrong, never one that is only left out: a row that is
rejected for its question, or as private, says nothing against its answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bonito_local.checks.answers import question_in
from bonito_local.checks.labels import label_of, other_labels
from bonito_local.checks.options import written_options
from bonito_local.checks.text import content, digits, normalize, numbers, without_passage, words
from bonito_local.exports.formats import find_format
from bonito_local.exports.preferences import Origin, Preference, preference
from bonito_local.exports.row import Row
from bonito_local.jobs.chosen import Judged
from bonito_local.jobs.exchange import NOT_REPRODUCED
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.selection import selected
from bonito_local.jobs.store import Store
from bonito_local.writing.agreement import agree

_FOREIGN = "response is not in the passage"
# Reasons of the checks that speak of the answer, and the kinds of task for which they do.
_WRONG: dict[str, tuple[str, ...]] = {
    _FOREIGN: ("exqa",),
    "number not in the passage": ("qa", "summarization", "paraphrase"),
    "name not in the passage": ("summarization", "paraphrase"),
    "response is in neither passage nor question": ("coref",),
    "statement stands in the passage": ("nli", "te"),
}
# A person's reasons that speak of the answer; of others, it may be right.
_WRONG_TO_A_PERSON = ("", "wrong answer", "not in the passage")
_ASKING = ("exqa", "qa", "ynqa")  # kinds whose rows ask the same where their questions do
_LABELLED = ("ynqa", "nli", "te")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row, what it asks of its passage, and whether the export wants it."""

    judged: Judged
    kind: str
    question: str
    wanted: bool

    @property
    def row(self) -> Row:
        return self.judged.row

    @property
    def confirmed(self) -> bool:
        """Whether a second reading gave the answer, or a person wrote or accepted it."""
        row = self.row
        return row.decision == "accepted" or row.edited or bool(self.judged.reread)

    @property
    def wrong(self) -> bool:
        """Whether the answer that the model wrote was found wrong."""
        row = self.row
        if row.edited:
            return False
        if row.decision:
            return row.decision == "rejected" and row.decision_reason in _WRONG_TO_A_PERSON
        if row.outcome != "rejected":
            return False
        if row.reason == _FOREIGN and not _foreign(row):
            return False
        return row.reason == NOT_REPRODUCED or self.kind in _WRONG.get(row.reason, ())

    def contradicts(self, answer: str) -> bool:
        """Whether the row's answer is another one."""
        return not agree(self.row.output, answer, self.question)


def export_rows(store: Store, wanted: Export) -> Iterator[Row]:
    """Yield the rows of an export, as its format takes them."""
    if not find_format(wanted.format).compares:
        return selected(store, wanted.choice)
    return _examples(store, wanted) if wanted.format == "kto" else _balanced(store, wanted)


def _examples(store: Store, wanted: Export) -> Iterator[Preference]:
    """Yield kept rows as right, and rows whose answer was found wrong as wrong."""
    # Rows that a rule rejects are not compared with an evaluation set.
    unseen = bool(store.load("evaluation"))
    for group in _groups(store, wanted):
        told = set[tuple[str, str]]()
        for entry in group:
            row = entry.row
            if entry.wanted:
                yield preference(row, origin="kept")
            elif entry.wrong and not (unseen and row.reason in _WRONG):
                said = (normalize(row.input), normalize(row.output))
                if said not in told and not _may_be_right(row.output, entry, group):
                    told.add(said)
                    yield preference(row, label=False, origin="found wrong")


def _balanced(store: Store, wanted: Export) -> Iterator[Preference]:
    """Yield all pairs, of labels as many one way as the other: a label by itself says nothing."""
    counts = Counter(way for pair in _pairs(store, wanted) if (way := _way(pair)))
    seen: Counter[tuple[str, str, str]] = Counter()
    for pair in _pairs(store, wanted):
        if way := _way(pair):
            task, better, worse = way
            at, of = seen[way], counts[way]
            seen[way] += 1
            keep = min(of, counts[task, worse, better])
            if (at + 1) * keep // of == at * keep // of:
                continue
        yield pair


def _way(pair: Preference) -> tuple[str, str, str] | None:
    """Which label a pair prefers to which; None where it is not about labels."""
    if pair.origin != "other label":
        return None
    return pair.task_type, label_of(pair.output), label_of(pair.rejected)


def _pairs(store: Store, wanted: Export) -> Iterator[Preference]:
    """Yield the answer of each kept row with those that are worse."""
    for group in _groups(store, wanted):
        for entry in group:
            if not entry.wanted:
                continue
            told = set[str]()
            for origin, answer in _worse(entry, group):
                if normalize(answer) not in told and not _may_be_right(answer, entry, group):
                    told.add(normalize(answer))
                    yield preference(entry.row, rejected=answer, origin=origin)


def _worse(entry: _Entry, group: Sequence[_Entry]) -> Iterator[tuple[Origin, str]]:
    """Yield answers that are worse than a kept row's, and why they are."""
    row, drawn = entry.row, entry.judged.drawn_response
    asks_the_same = entry.judged.drawn_instruction == row.input
    if row.edited and drawn and asks_the_same and words(drawn) != words(row.output):
        yield "edited", drawn
    for other in group:
        if other.wrong and other.question == entry.question and entry.contradicts(other.row.output):
            yield "another row", other.row.output
    if not entry.confirmed:
        return
    if entry.kind == "mcqa":
        yield from (("wrong option", answer) for answer in _wrong_options(entry))
    elif entry.kind in _LABELLED:
        asked = without_passage(row.input, row.passage)
        labels = other_labels(entry.kind, asked, row.output)
        yield from (("other label", label) for label in labels)


def _wrong_options(entry: _Entry) -> Iterator[str]:
    """Yield the options that a row's response is not, written like it."""
    row, reread = entry.row, entry.judged.reread
    options = written_options(without_passage(row.input, row.passage))
    ways = [[f"{mark} {text}", text, mark, mark.strip("(). :")] for mark, text in options if text]
    right = [
        (at, way.index(row.output.strip()))
        for at, way in enumerate(ways)
        if row.output.strip() in way
    ]
    if len(right) != 1:
        return
    ((at, how),) = right
    answer = ways[at][1]
    for other, way in enumerate(ways):
        same = agree(answer, way[1]) or (not row.edited and reread and agree(reread, way[1]))
        if other != at and not same:
            yield way[how]


def _may_be_right(answer: str, entry: _Entry, group: Sequence[_Entry]) -> bool:
    """Whether another row that is kept gives the same answer to the same question."""
    return any(
        other is not entry
        and other.judged.kept
        and other.question == entry.question
        and not other.contradicts(answer)
        for other in group
    )


def _foreign(row: Row) -> bool:
    """Whether an answer says something that its passage does not say in other words either.

    Numbers are compared where both are in digits: "nine hundred" may be 900.
    """
    said, held = digits(row.output), numbers(row.passage)
    if numbers(row.output) or not content(row.output):
        return held == digits(row.passage) and bool(said - held)
    return not content(row.output) & content(row.passage)


def _groups(store: Store, wanted: Export) -> Iterator[list[_Entry]]:
    """Yield the rows of each passage and task type, those that are left out among them."""
    types = remember(store, [])
    chosen = (row.id for row in selected(store, wanted.choice))
    following = next(chosen, None)
    rows = store.judged(wanted.choice.tasks)
    for (_, task), group in groupby(rows, lambda one: (one.row.passage_sha256, one.row.task_type)):
        entries, kind = [], types[task].kind
        for judged in group:
            row = judged.row
            asked = without_passage(row.input, row.passage)
            question = normalize(question_in(asked) if kind in _ASKING else asked)
            met = row.id == following
            if met:
                following = next(chosen, None)
            entries.append(_Entry(judged, kind, question, met and judged.kept))
        yield entries
