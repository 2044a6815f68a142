"""Rows that were reviewed elsewhere come back: decisions, texts, scores, tags and notes.

The file is an export as CSV or JSONL, or has its columns `id` and any of `FIELDS`. A field that
is empty or missing changes nothing, nor does a text that is still the model's. All of a file is
taken or, if anything in it cannot be, nothing; what was taken is one step of the review, which
undo takes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.errors import UsageError
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.named import Change, Found, NamedRows, open_named
from bonito_local.jobs.reviewed_rows import FIELDS, read_reviewed

_DECISIONS = ("accepted", "rejected")
_SHOWN = 10  # wrong lines told one by one


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows a file had, and how many of the job's were changed, decided and edited."""

    rows: int
    changed: int
    decided: int
    edited: int


def import_rows(output: Path, path: Path) -> Imported:
    """Take what was decided and written in `path` into the review of the job in `output`.

    Raises:
        UsageError: the file cannot be read, or has lines that cannot be taken: the first ones
            are named, and nothing has changed.
        JobError: there is no job, a process works on it, or its store cannot be written.
    """
    with closing(open_named(output)) as review, open_job(output):
        counts: Counter[str] = Counter()
        review.apply(_changes(review, path, counts))
    return Imported(*(counts[name] for name in ("rows", "changed", "decided", "edited")))


def _changes(review: NamedRows, path: Path, counts: Counter[str]) -> Iterator[Change]:
    """Yield what is different; raise at the end if a line was wrong, so that nothing is kept."""
    known: dict[str, int] = {}
    told: list[str] = []
    for number, line in read_reviewed(path):
        counts["rows"] += 1
        try:
            if isinstance(line, str):
                raise _Fault(line)
            found = _find(review, line, known, number)
            fields = _different(line, found)
        except _Fault as fault:
            counts["wrong"] += 1
            told += [f"line {number}: {fault}"] if len(told) < _SHOWN else []
            continue
        if fields:
            counts["changed"] += 1
            counts["decided"] += "decision" in fields
            counts["edited"] += "instruction" in fields
            yield found.id, fields
    if wrong := counts["wrong"]:
        lines = "one line" if wrong == 1 else f"{wrong} lines"
        told += [f"... {wrong} in all"] if wrong > len(told) else []
        raise UsageError(
            "\n".join([f"Nothing was taken from {path}: {lines} cannot be.", *told]),
            "Mend or remove what is wrong, and import the file again.",
        )
    if not counts["rows"]:
        raise UsageError(f"{path} holds no rows.", "Export the job as csv or jsonl, and edit that.")


class _Fault(Exception):
    """What is wrong with a line."""


def _find(review: NamedRows, line: Mapping[str, Any], known: dict[str, int], number: int) -> Found:
    name = str(line.get("id") or "").strip()
    if not name:
        raise _Fault("it has no id")
    if known.setdefault(name, number) != number:
        raise _Fault(f"row {name} is on line {known[name]} too")
    found = review.find(name)
    if found is None:
        raise _Fault(f"the job has no row {name}")
    if found.pending:
        raise _Fault(f"row {name} has yet to be written")
    if found.name != name:
        raise _Fault(f"row {name} was written anew since, as {found.name}")
    return found


def _different(line: Mapping[str, Any], found: Found) -> dict[str, object]:
    """The fields of the review that the line changes."""
    said = {name: _text(line, name) for name in FIELDS if name != "score"}
    fields: dict[str, object] = {}
    texts = (
        _newer(said["input"], found.instruction, found.drawn_instruction),
        _newer(said["output"], found.response, found.drawn_response),
    )
    if texts != (found.instruction, found.response):
        if not all(texts):
            raise _Fault("a row needs an input and an output")
        fields |= {"instruction": texts[0], "response": texts[1]}
    if decision := said["decision"].lower():
        if decision not in _DECISIONS:
            raise _Fault(f"the decision {decision[:40]!r} is neither accepted nor rejected")
        if decision == "accepted" and not all(texts):
            raise _Fault("it has no text that could be accepted")
        reason = said["decision_reason"]
        if decision != found.decision or (reason and reason != found.reason):
            fields |= {"decision": decision, "reason": reason}
    score = _score(line.get("score"))
    if score is not None and score != found.score:
        fields["score"] = score
    tags = " ".join(dict.fromkeys(said["tags"].replace(",", " ").split()))
    for name, value, held in (("tags", tags, found.tags), ("note", said["note"], found.note)):
        if value and value != held:
            fields[name] = value
    return fields


def _newer(said: str, held: str, drawn: str) -> str:
    """The text to have: what the file says, unless it is what the model wrote."""
    return said if said and said != drawn.strip() else held


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _Fault(f"its {name} is not text")
    return value.replace("\r\n", "\n").strip()


def _score(value: Any) -> int | None:
    text = str(value if value is not None else "").strip().removesuffix(".0")
    if not text:
        return None
    if text not in ("1", "2", "3", "4", "5"):
        raise _Fault(f"a score of {text[:20]}: give 1 to 5")
    return int(text)
