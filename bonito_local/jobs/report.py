"""The report of a job, and what the card of an export will say: no row is written for them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bonito_local.errors import JobError
from bonito_local.exports.account import Account, Made
from bonito_local.exports.card import dataset_card
from bonito_local.exports.dataset import warnings
from bonito_local.exports.page import report_page
from bonito_local.exports.row import document_of
from bonito_local.exports.staging import write_private
from bonito_local.exports.tally import Tally
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.output import account, made, placing
from bonito_local.jobs.pairing import export_rows
from bonito_local.jobs.store import Store

REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Preview:
    """The card of an export, its rows by split, what to mind, and whether all were counted."""

    card: str
    rows: dict[str, int]
    warnings: tuple[str, ...]
    whole: bool


def write_report(output: Path, path: Path | None = None) -> Path:
    """Write the report of the job in `output` to `path`, or beside its dataset; return where.

    A process may work on the job meanwhile.

    Raises:
        JobError: there is no job, or it holds nothing yet.
        OutputError: `path` cannot be written.
    """
    path = path or output / REPORT
    told, made_so, tally, _ = _counted(output, Export())
    if not told.settings:
        raise JobError("Nothing has been planned yet.", "Run the job first.")
    write_private(path, report_page(told, made_so, tally))
    return path


def preview(output: Path, wanted: Export, most: int = 20_000) -> Preview:
    """What the card of an export would say, by its first `most` rows.

    Raises:
        JobError: there is no job.
    """
    told, made_so, tally, whole = _counted(output, wanted, most)
    card = dataset_card(told, made_so, tally)["README.md"]
    counts = {name: tally.in_split(name) for name in wanted.split.names}
    return Preview(card, counts, tuple(warnings(made_so, tally)), whole)


def _counted(
    output: Path, wanted: Export, most: int | None = None
) -> tuple[Account, Made, Tally, bool]:
    """What is said of an export, the tally of its first `most` rows, and whether that is all."""
    tally, whole = Tally(), True
    with closing(Store(store_path(output), create=False)) as store, store.snapshot():
        told = account(store)
        if told.settings:
            place = placing(store, wanted)
            found = export_rows(store, wanted)
            for row in islice(found, most):
                tally.add(row, place(document_of(row)))
            whole = most is None or next(found, None) is None
        return told, made(store, wanted), tally, whole
