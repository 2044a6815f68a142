"""A row of the dataset: an instruction and its response, and where both came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Score = Literal["agreement", "support", "gain"]
SCORES: tuple[Score, ...] = ("agreement", "support", "gain")


@dataclass(frozen=True, slots=True)
class Row:
    """A row, field for column.

    `id` names the row within its job and in another job of the same passages: it stays as
    long as the text the model wrote does. `passage` is what the row is about; it stands in
    document `source` (with SHA-256 `source_sha256`) on `page`, at characters `start` to
    `end`, under `heading`. `evidence` is the sentence that the row is about, at characters
    `evidence_start` to `evidence_end`; empty where the model chose. `seed` is the sample's own,
    `sample` its index among the passage's n. `outcome` and `reason` are what the checks said;
    `agreement`, `support` and `gain` are the model's own scores of it, where it was asked.
    `decision`, `decision_reason`, `score`, `tags` and `note` are what a person did; `edited`
    tells that a person wrote `input` or `output`. `reasoning` leads from the passage to the output;
    empty where none was kept, None in a job that asks for none.
    """

    id: str
    input: str
    output: str
    task_type: str
    passage: str
    source: str
    source_sha256: str
    page: int | None
    start: int
    end: int
    heading: str
    evidence: str
    evidence_start: int | None
    evidence_end: int | None
    passage_sha256: str
    model: str
    model_sha256: str
    quantization: str
    backend: str
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    sample: int
    version: str
    outcome: str
    reason: str
    agreement: float | None
    support: float | None
    gain: float | None
    decision: str
    decision_reason: str
    edited: bool
    score: int | None
    tags: str
    note: str
    reasoning: str | None = None


REASONING = "reasoning"  # a column of jobs that ask for it alone
COLUMNS: tuple[str, ...] = tuple(name for name in Row.__slots__ if name != REASONING)
# All that is left of a row that is to be shared without saying where it came from.
SHARED = ("input", "output", "task_type")
# Beside a row in a trainer's own format: everything but its texts.
PROVENANCE = tuple(
    name for name in COLUMNS if name not in ("input", "output", "passage", "evidence")
)
# What a person looks at in a spreadsheet, and what comes back from it.
REVIEWED = (
    *("id", "task_type", "input", "output", "decision", "decision_reason", "score", "tags"),
    *("note", "outcome", "reason", *SCORES, "source", "page", "heading", "evidence", "passage"),
)


def reasoned(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return columns with the reasoning behind the output."""
    at = columns.index("output") + 1
    return (*columns[:at], REASONING, *columns[at:])


REASONED_MEANING = (
    f"`{REASONING}`",
    "what leads from the passage to the output; empty where none was kept",
)
MEANINGS: tuple[tuple[str, str], ...] = (
    ("`id`", "the row's name: the same in every export, until the model writes it anew"),
    ("`input`, `output`", "the instruction, passage included where it is needed; its response"),
    ("`task_type`", "short name of the task type"),
    ("`passage`, `passage_sha256`", "the passage the row is about, and its hash"),
    ("`source`, `source_sha256`", "the document, and the hash of its bytes"),
    ("`page`, `start`, `end`", "where the passage stands in the document's text, in characters"),
    ("`heading`", "the headings above it, or the row of a table"),
    (
        "`evidence`, `evidence_start`, `evidence_end`",
        "the sentence the row is about, and where it stands in the document's text",
    ),
    ("`model`, `model_sha256`, `quantization`, `backend`", "what wrote the row"),
    ("`temperature`, `top_p`, `max_tokens`", "how it was drawn"),
    ("`seed`, `sample`", "the row's own seed, and its index among the passage's rows"),
    ("`version`", "of bonito-local"),
    ("`outcome`, `reason`", "what the checks said"),
    ("`agreement`, `support`, `gain`", "the model's own scores of the row, where it was asked"),
    ("`decision`, `decision_reason`", "what a person decided; empty where nobody did"),
    ("`edited`", "whether a person wrote the input or the output"),
    ("`score`, `tags`, `note`", "a person's 1 to 5, words, and note"),
)


def row_id(passage_sha256: str, task: str, sample: int, attempt: int) -> str:
    """The name of the sample that was drawn at `attempt`: hash-task-sample, and .attempt."""
    again = f".{attempt}" if attempt else ""
    return f"{passage_sha256[:16]}-{task}-{sample}{again}"


def document_of(row: Row) -> str:
    """What a row's passage belongs to: its document, or for a table its row of it."""
    kind = row.source.rpartition(".")[2].lower()
    return f"{row.source_sha256} {row.heading}" if kind in _TABLES else row.source_sha256


_TABLES = ("jsonl", "ndjson", "csv", "tsv", "parquet", "arrow")
