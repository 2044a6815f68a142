"""What a job says of itself, for the card and the report of its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bonito_local.exports.splits import Split


@dataclass(frozen=True, slots=True)
class Account:
    """A job's ledger, settings and review.

    `counts` is the ledger as (task, outcome, reason, samples); `ledger` the same as plain data.
    `problems` are the documents left out. `model` may say `quantization` and `license`.
    `review` counts rows accepted, rejected and edited by a person.
    """

    name: str
    settings: Mapping[str, Any]
    counts: tuple[tuple[str, str, str, int], ...]
    ledger: Mapping[str, Any]
    problems: tuple[Mapping[str, str], ...] = ()
    documents: int = 0
    passages: int = 0
    air_gap: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    model: Mapping[str, str] = field(default_factory=dict)
    review: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Made:
    """How an export is made: which format and splits, whether without provenance, of which rows.

    `rows` says in words which rows of the job are in it, `reasoned` that they have reasoning.
    """

    format: str = "hf"
    split: Split = field(default_factory=Split)
    strip_source: bool = False
    rows: str = "accepted by the checks or by a person"
    reasoned: bool = False
