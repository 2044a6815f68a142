"""A row as an example of a preference: an answer and a worse one, or an answer right or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bonito_local.exports.row import COLUMNS, PROVENANCE, Row

Origin = Literal["", "edited", "another row", "wrong option", "other label", "kept", "found wrong"]


@dataclass(frozen=True, slots=True)
class Preference(Row):
    """A row of the formats that train on preferences.

    In a pair `output` is the better answer and `rejected` the worse one. In an example without
    a pair `rejected` is empty and `label` says whether `output` is right. `origin` says why.
    """

    rejected: str = ""
    label: bool = True
    origin: Origin = ""


# Beside a line in the trainer's format.
ORIGINS = (*PROVENANCE, "origin")


def preference(
    row: Row, *, rejected: str = "", label: bool = True, origin: Origin = ""
) -> Preference:
    """Return a row as an example of a preference."""
    values = {name: getattr(row, name) for name in COLUMNS}
    return Preference(**values, rejected=rejected, label=label, origin=origin)
