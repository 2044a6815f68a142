"""Which of a job's rows go into an export, read in order and one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bonito_local.exports.row import SCORES, Row, row_id
from bonito_local.jobs.columns import Columns
from bonito_local.jobs.journal import Journal
from bonito_local.jobs.ledger import OUTCOMES
from bonito_local.jobs.livedata import SHARED
from bonito_local.jobs.seeds import sample_seed
from bonito_local.shapes import ShapeError


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows; a field that is empty does not choose.

    With neither `outcomes` nor `decision` they are the rows of the dataset: accepted by a
    person, or by the checks where no person decided. `decision` may be "accepted",
    "rejected", "any" (a person decided) or "none" (nobody did).
    """

    tasks: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    decision: str = ""

    def clauses(self) -> tuple[str, list[str]]:
        """A condition of SQL, and its values."""
        where, values = [_HAS_TEXT], list[str]()
        if self.tasks:
            where.append(f"s.task IN ({_marks(self.tasks)})")
            values += self.tasks
        if self.outcomes:
            where.append(f"s.outcome IN ({_marks(self.outcomes)})")
            values += self.outcomes
        elif self.decision in ("", "none"):
            where.append("coalesce(nullif(r.decision, ''), s.outcome) = 'accepted'")
        decided, decision = of_decision(self.decision)
        return " AND ".join(where + decided), values + decision

    def __str__(self) -> str:
        of = f" of {', '.join(self.tasks)}" if self.tasks else ""
        how = [f"by the checks {' or '.join(self.outcomes)}"] if self.outcomes else []
        how += [_DECISIONS[self.decision]] if self.decision else []
        return f"{' and '.join(how) or 'accepted by the checks or by a person'}{of}"


_DECISIONS = {
    "accepted": "accepted by a person",
    "rejected": "rejected by a person",
    "any": "decided on by a person",
    "none": "decided on by nobody",
}
DECISIONS = tuple(_DECISIONS)
_HAS_TEXT = """coalesce(r.instruction, s.instruction, '') != ''
    AND coalesce(r.response, s.response, '') != ''"""


def of_decision(decision: str) -> tuple[list[str], list[str]]:
    """Conditions of SQL for what a person said, "any" or "none" included, and their values."""
    if decision == "none":
        return ["coalesce(r.decision, '') = ''"], []
    if decision == "any":
        return ["r.decision != ''"], []
    return (["r.decision = ?"], [decision]) if decision else ([], [])


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


_SCORE = """(SELECT c.value FROM scores c
    WHERE c.sample = s.id AND c.name = '{}' AND c.attempt = s.attempt)"""
# A row's columns that its sample has, and what of the database they are.
_CELLS: dict[str, str] = {
    "input": "coalesce(r.instruction, s.instruction)",
    "output": "coalesce(r.response, s.response)",
    # It leads to what the model wrote, and not to what a person made of it.
    "reasoning": "CASE WHEN r.instruction IS NULL THEN coalesce(s.reasoning, '') ELSE '' END",
    "task_type": "s.task",
    "sample": "s.sample",
    "passage": "p.text",
    "passage_sha256": "p.hash",
    "source": "d.source",
    "source_sha256": "d.sha256",
    "page": "p.page",
    "start": "p.start",
    "end": 'p."end"',
    "heading": "p.heading",
    "evidence": """coalesce(substr(
        p.text, s.evidence_start + 1, s.evidence_end - s.evidence_start), '')""",
    "evidence_start": "p.start + s.evidence_start",
    "evidence_end": "p.start + s.evidence_end",
    "outcome": "s.outcome",
    "reason": "s.reason",
    **{name: _SCORE.format(name) for name in SCORES},
    "decision": "coalesce(r.decision, '')",
    "decision_reason": "coalesce(r.reason, '')",
    "edited": "r.instruction IS NOT NULL",
    "score": "r.score",
    "tags": "coalesce(r.tags, '')",
    "note": "coalesce(r.note, '')",
}


_OF_ROWS = Columns(
    attempt="whole",
    drawn_instruction="text",
    drawn_response="text",
    reread="text",
    **{
        name: {
            "sample": "whole",
            "page": "whole?",
            "start": "whole",
            "end": "whole",
            "edited": "whole",
            "score": "whole?",
            "evidence_start": "whole?",
            "evidence_end": "whole?",
            **dict.fromkeys(SCORES, "number?"),
            **dict.fromkeys(
                (
                    *("input", "output", "reasoning", "task_type", "passage", "passage_sha256"),
                    "source",
                    *("source_sha256", "heading", "outcome", "reason", "decision"),
                    *("decision_reason", "tags", "note"),
                ),
                "text",
            ),
        }.get(name, "any")
        for name in _CELLS
    },
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, what the model wrote before a person did, and how its question was answered again.

    A text that there is not is empty.
    """

    row: Row
    drawn_instruction: str
    drawn_response: str
    reread: str

    @property
    def kept(self) -> bool:
        """Whether a person accepted it, or the checks where nobody decided."""
        return (self.row.decision or self.row.outcome) == "accepted"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How far the review of a job is."""

    accepted: int
    rejected: int
    edited: int


class Chooser(Journal):
    """Reads rows for exports; others may write to the job meanwhile."""

    def chosen(self, choice: Choice | None = None) -> Iterator[Row]:
        """Yield the rows by passage, task and sample, whatever order they came in.

        A text that a person put in a row's place goes before the model's.
        """
        for judged in self._read(choice or Choice()):
            yield judged.row

    def judged(self, tasks: tuple[str, ...] = ()) -> Iterator[Judged]:
        """Yield all rows that have a text, of these tasks if any, in the order of `chosen`."""
        yield from self._read(Choice(tasks, OUTCOMES))

    def _read(self, choice: Choice) -> Iterator[Judged]:
        where, values = choice.clauses()
        settings = self.settings()
        with self.errors():
            if settings:
                SHARED(settings, "settings")
            shared = self._shared(settings) if settings else {}
            cursor = self._db.execute(
                f"""SELECT s.attempt, coalesce(s.instruction, ''), coalesce(s.response, ''),
                           coalesce(s.reread, ''), {", ".join(_CELLS.values())}
                   FROM samples s JOIN passages p ON p.id = s.passage
                        JOIN documents d ON d.id = p.document
                        LEFT JOIN reviews r ON r.sample = s.id AND r.attempt = s.attempt
                   WHERE {where} ORDER BY s.passage, s.task, s.sample""",  # noqa: S608
                values,
            )
            for attempt, instruction, response, reread, *cells in map(_OF_ROWS.check, cursor):
                if not settings:
                    raise ShapeError("it has rows, and no settings")
                found = dict(zip(_CELLS, cells, strict=True))
                if found["outcome"] not in OUTCOMES:
                    raise ShapeError("a row has an outcome that there is not")
                found["edited"] = bool(found["edited"])
                if "reasoning" not in settings:
                    del found["reasoning"]
                of = (found["passage_sha256"], found["task_type"], found["sample"], attempt)
                seed = sample_seed(int(settings["seed"]), *of)
                row = Row(id=row_id(*of), seed=seed, **shared, **found)
                yield Judged(row, instruction, response, reread)

    def _shared(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that are the same in all rows of a job."""
        model = self.load("model") or {}
        return {
            "model": str(settings["model"]),
            "model_sha256": str(settings["model_sha256"]),
            "quantization": str(model.get("quantization", "")),
            "backend": str(settings["backend"]),
            "temperature": float(settings["temperature"]),
            "top_p": float(settings["top_p"]),
            "max_tokens": int(settings["max_tokens"]),
            "version": ", ".join(self.load("versions") or ()),
        }

    def document_count(self) -> int:
        """Number of documents with a passage in the job."""
        with self.errors():
            (count,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        return int(count)

    def reviewed(self) -> Reviewed:
        """How many rows were decided on."""
        with self.errors():
            found = self._db.execute(
                """SELECT total(r.decision = 'accepted'), total(r.decision = 'rejected'),
                          total(r.instruction IS NOT NULL)
                   FROM reviews r JOIN samples s ON s.id = r.sample AND s.attempt = r.attempt"""
            ).fetchone()
        return Reviewed(*map(int, found))
