"""`bonito-local review`."""

from __future__ import annotations

import json
import sys
import textwrap
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path

import click

from bonito_local.cli.completing import jobs
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say
from bonito_local.errors import UsageError, did_you_mean
from bonito_local.jobs.find import find_job
from bonito_local.jobs.ledger import OUTCOMES
from bonito_local.jobs.own_tasks import held_task
from bonito_local.jobs.review import Review, open_review
from bonito_local.jobs.rows import Decision, Filter, Shown

_PAGE = 500
_LONGEST_RANGE = 40  # characters; Python reads no number of thousands of digits


@click.command("review")
@click.argument("job", shell_complete=jobs)
@click.option("--outcome", type=click.Choice(OUTCOMES), help="Rows that ended so.")
@click.option(
    "--decision",
    type=click.Choice(["none", "any", "accepted", "rejected"]),
    help="Rows that you decided on so, or not at all.",
)
@click.option("--task", help="Rows of a task type.")
@click.option("--document", help="Rows of a document, by its name or path.")
@click.option("--text", default="", help="Rows with a text, in them or in their passage.")
@click.option("--rows", "named", help="Rows by number: 3,8-12; - reads numbers from the input.")
@click.option("--all", "everything", is_flag=True, help="All rows.")
@click.option("--accept", "decision_made", flag_value="accepted", help="Keep them.")
@click.option("--reject", "decision_made", flag_value="rejected", help="Leave them out.")
@click.option("--clear", "decision_made", flag_value="cleared", help="Take a decision back.")
@click.option("--reason", default="", help="With --reject: why.")
@click.option("--score", type=click.IntRange(0, 5), help="1 to 5; 0 takes it back.")
@click.option("--tags", help="Words separated by commas; an empty text takes them off.")
@click.option("--note", help="A note on one row.")
@click.option("--instruction", help="With --response, another text for one row.")
@click.option("--response", help="With --instruction, another text for one row.")
@click.option("--undo", is_flag=True, help="Take back the last step, of the app too.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(0), help="Rows shown.")
@click.option("--json", "as_json", is_flag=True, help="All rows, a line of JSON each.")
def command(
    job: str,
    outcome: str | None,
    decision: str | None,
    task: str | None,
    document: str | None,
    text: str,
    named: str | None,
    everything: bool,
    decision_made: str | None,
    reason: str,
    score: int | None,
    tags: str | None,
    note: str | None,
    instruction: str | None,
    response: str | None,
    undo: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Look at a job's rows, and say which go into its dataset; `export` writes it anew.

    JOB is its number in `bonito-local jobs`, its output folder, or its job file. Without
    anything to do, rows are shown. What is done to several rows is one step for --undo.
    """
    output = find_job(job)
    edited = (instruction or "", response or "") if instruction or response else None
    acts = [
        act
        for act in (
            _decide(decision_made, reason) if decision_made else None,
            _each(lambda review, rows: review.score(rows, score or None), score),
            _each(lambda review, rows: review.tag(rows, tags or ""), tags),
            _one(lambda review, row: review.note(row, note or ""), note),
            _one(lambda review, row: review.edit(row, *(edited or ("", ""))), edited),
        )
        if act
    ]
    if len(acts) + undo > 1:
        raise UsageError("More than one thing is to be done.", "Do one after the other.")
    if reason and decision_made != "rejected":
        raise UsageError("A reason is for rejected rows.", "Add --reject, or leave it out.")
    enter_air_gap(online=False)
    with closing(open_review(output)) as review:
        if undo:
            back = len(review.undo())
            say(f"taken back: {_rows(back)}" if back else "There is nothing to take back.")
            return
        wanted = Filter(
            outcome or "",
            decision or "",
            held_task(review, task) if task else "",
            _document(review, document) if document else (),
            text,
        )
        if acts and wanted == Filter() and named is None and not everything:
            raise UsageError(
                "It is not said which rows.", "Name them with --rows or a filter, or give --all."
            )
        numbers = _numbers(review, wanted, named)
        if acts:
            say(acts[0](review, numbers))
        else:
            _show(review, numbers, limit, as_json)


Act = Callable[[Review, Sequence[int]], str]


def _decide(made: str, reason: str) -> Act:
    decision: Decision = "" if made == "cleared" else made  # type: ignore[assignment]
    return lambda review, rows: f"{made}: {_rows(review.decide(rows, decision, reason))}"


def _each(what: Callable[[Review, Sequence[int]], object], asked: object) -> Act | None:
    def act(review: Review, rows: Sequence[int]) -> str:
        what(review, rows)
        return f"changed: {_rows(len(rows))}"

    return None if asked is None else act


def _one(what: Callable[[Review, int], object], asked: object) -> Act | None:
    def act(review: Review, rows: Sequence[int]) -> str:
        if len(rows) != 1:
            raise UsageError(f"That is for one row, not {len(rows)}.", "Name it with --rows.")
        what(review, rows[0])
        return f"changed: row {rows[0]}"

    return None if asked is None else act


def _rows(number: int) -> str:
    return f"{number} row{'' if number == 1 else 's'}"


def _document(review: Review, name: str) -> tuple[int, ...]:
    """The document's numbers: one for each state of it that was read."""
    known = review.documents()
    by_path = [found for found in known if found[1] == name]
    found = by_path or [found for found in known if Path(found[1]).name == name]
    if not found:
        raise UsageError(f"No document {name}.", did_you_mean(name, [s for _, s in known][:20]))
    paths = list(dict.fromkeys(source for _, source in found))
    if len(paths) > 1:
        raise UsageError(
            f"{len(paths)} documents are called {name}.", f"Name one: {', '.join(paths[:5])}."
        )
    return tuple(number for number, _ in found)


def _numbers(review: Review, wanted: Filter, named: str | None) -> Sequence[int]:
    found: Sequence[int] = review.numbers(wanted) or []
    if named is None:
        return found
    ranges = sorted(_ranges(sys.stdin.read() if named == "-" else named))
    lows = [low for low, _ in ranges]
    highs = list(accumulate((high for _, high in ranges), max))
    # Of the ranges that begin at or before a number, one that ends latest holds it or none does.
    before = ((number, bisect_right(lows, number)) for number in found)
    return [number for number, at in before if at and number <= highs[at - 1]]


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    for part in text.replace(",", " ").split():
        first, _, last = part.partition("-")
        if len(part) > _LONGEST_RANGE:
            raise UsageError(f"{part[:20]!r}... is no number of a row.", "Write 3,8-12.")
        try:
            yield int(first), int(last or first)
        except ValueError as error:
            raise UsageError(f"{part!r} is no number of a row.", "Write 3,8-12.") from error


def _show(review: Review, numbers: Sequence[int], limit: int, as_json: bool) -> None:
    shown = numbers if as_json else numbers[:limit]
    for at in range(0, len(shown), _PAGE):
        for row in review.page(shown[at : at + _PAGE]):
            say(json.dumps(asdict(row)) if as_json else _readable(row))
    if not as_json:
        made = review.reviewed()
        say(
            f"{len(shown)} of {_rows(len(numbers))} shown; of all, you accepted {made.accepted}, "
            f"rejected {made.rejected}, edited {made.edited}."
        )


def _readable(row: Shown) -> str:
    page = f", page {row.page}" if row.page else ""
    ended = f"{row.outcome}: {row.reason}" if row.reason else row.outcome
    said = [f"{row.decision} by you" if row.decision else "", row.why, "edited" * row.edited]
    said += [f"score {row.score}" if row.score else "", row.tags, row.note]
    lines = [f"{row.id} · {row.task} · {row.source}{page} · {ended}"]
    if any(said):
        lines.append(f"  {'; '.join(filter(None, said))}")
    instruction = row.instruction.replace(row.passage.strip(), "[passage]")
    parts = (
        ("passage", textwrap.shorten(row.passage, 280)),
        ("input", instruction),
        ("output", row.response or (row.completion if not row.instruction else "")),
        ("because", row.reasoning),
    )
    for name, told in parts:
        told = " ".join(told.split())
        lines += textwrap.wrap(told, 96, initial_indent=f"  {name:8}", subsequent_indent=" " * 10)
    return "\n".join([*lines, ""])
