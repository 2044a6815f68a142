"""What an export of a job is to be: the one thing command line, job file and app all build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bonito_local.errors import UsageError, did_you_mean
from bonito_local.exports.formats import find_format
from bonito_local.exports.splits import Split
from bonito_local.jobs.chosen import DECISIONS, Choice
from bonito_local.jobs.ledger import OUTCOMES

EXPORTS = "exports"


@dataclass(frozen=True, slots=True)
class Export:
    """What to export, and how."""

    format: str = "hf"
    split: Split = field(default_factory=Split)
    choice: Choice = field(default_factory=Choice)
    strip_source: bool = False

    def folder(self, output: Path) -> Path:
        """Where it goes unless the user names another place."""
        return output / EXPORTS / self.format


def check_export(wanted: Export) -> Export:
    """Return `wanted`, seen to name only what there is.

    Raises:
        UsageError: there is no such format, outcome or decision.
    """
    find_format(wanted.format)
    for outcome in wanted.choice.outcomes:
        if outcome not in OUTCOMES:
            raise UsageError(f"Unknown outcome {outcome!r}.", did_you_mean(outcome, list(OUTCOMES)))
    if wanted.choice.decision not in ("", *DECISIONS):
        known = list(DECISIONS)
        raise UsageError(
            f"Unknown decision {wanted.choice.decision!r}.",
            did_you_mean(wanted.choice.decision, known),
        )
    return wanted
