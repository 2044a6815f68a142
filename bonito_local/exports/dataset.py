"""Writes rows as a folder in one of the formats, with its card.

OUT/README.md                 the card; its header points `datasets` at the rows
OUT/data/train.parquet ...    the rows, a file for each split (named by the format); of more than
                              half a million rows several, train-00001.parquet and so on
OUT/provenance/train.jsonl    where each row came from, line for line, where the format has
                              no place for it
OUT/ledger.json               how every planned sample ended
OUT/problems.json             documents that could not be read
OUT/export.json               how the export was made, and the files it wrote
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from bonito_local import __version__
from bonito_local.exports.account import Account, Made
from bonito_local.exports.card import dataset_card
from bonito_local.exports.formats import Format, Record, find_format
from bonito_local.exports.row import COLUMNS, SHARED, Row, document_of, reasoned
from bonito_local.exports.staging import Staging
from bonito_local.exports.tables import Shards, Table, open_table
from bonito_local.exports.tally import Tally

_ENOUGH, _LEAST_DISTINCT = 20, 0.5  # rows, and their distinct questions, for a warning


@dataclass(frozen=True, slots=True)
class Written:
    """An export that is complete: its rows by split, and what its user should know."""

    folder: Path
    rows: dict[str, int]
    warnings: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Rows of all splits."""
        return sum(self.rows.values())


def write_dataset(
    folder: Path,
    rows: Iterable[Row],
    account: Account,
    made: Made | None = None,
    place: Callable[[str], str] | None = None,
) -> Written:
    """Write an export into `folder`, in place of an earlier one.

    `place` says which split a document is in; without it, the document's hash does.

    Raises:
        OutputError: the folder cannot be written to, or its disk is full; what was there
            before is untouched.
    """
    made = made or Made()
    place = place or made.split.of
    form, tally = find_format(made.format), Tally()
    about = {
        "made_by": "bonito-local",
        "version": __version__,
        "format": form.name,
        "split": str(made.split),
        "strip_source": made.strip_source,
        "rows": made.rows,
    }
    with Staging(folder, about) as staging:
        with ExitStack() as stack:
            sheets = _Sheets(staging, stack, form, made)
            for name in made.split.names if len(made.split.shares) == 1 else ():
                sheets.of(name)  # A dataset without rows has its file all the same.
            for row in rows:
                split = place(document_of(row))
                sheets.write(row, split)
                tally.add(row, split)
        names = [name for name in made.split.names if name in sheets.splits]
        for name, text in form.beside(names).items():
            staging.text(name, text)
        ledger = dict(account.ledger)
        if made.strip_source:
            # An engine's own words of what failed may hold anything.
            ledger["reasons"] = [r for r in ledger["reasons"] if r["outcome"] != "failed"]
        else:
            staging.json("problems.json", account.problems)
        staging.json("ledger.json", ledger)
        for name, text in dataset_card(account, made, tally).items():
            staging.text(name, text)
    counts = {name: tally.in_split(name) for name in made.split.names}
    return Written(folder, counts, tuple(warnings(made, tally)))


class _Sheets:
    """The files that rows go to, each opened with its first row."""

    def __init__(self, staging: Staging, stack: ExitStack, form: Format, made: Made) -> None:
        self.splits: dict[str, list[tuple[Table, Record]]] = {}
        self._staging = staging
        self._stack = stack
        self._form = form
        self._bare = made.strip_source
        self._columns = SHARED if self._bare else (form.columns or COLUMNS)
        if made.reasoned:
            self._columns = reasoned(self._columns)
        self._record = _columns(self._columns)
        self._whole = self._open(form.whole, "jsonl", self._columns) if form.whole else None

    def of(self, split: str) -> list[tuple[Table, Record]]:
        """A split's files, and what of a row goes into each."""
        if split not in self.splits:
            form = self._form
            sheet = self._open(form.file(split), form.kind, self._columns)
            found = [(sheet, form.record or self._record)]
            if form.record and not self._bare:
                beside = self._open(f"provenance/{split}.jsonl", "jsonl", form.provenance)
                found.append((beside, _columns(form.provenance)))
            self.splits[split] = found
        return self.splits[split]

    def write(self, row: Row, split: str) -> None:
        """Write a row wherever it belongs."""
        for sheet, record in self.of(split):
            sheet.write(record(row))
        if self._whole is not None:
            self._whole.write(self._record(row))

    def _open(self, name: str, kind: str, columns: tuple[str, ...]) -> Table:
        def opened(name: str) -> Table:
            return open_table(kind, self._staging.file(name), columns)

        table = Shards(name, opened) if kind == "parquet" else opened(name)
        return self._stack.enter_context(closing(table))


def _columns(names: tuple[str, ...]) -> Record:
    """What makes a mapping of some of a row's columns."""
    pick = attrgetter(*names)
    return lambda row: dict(zip(names, pick(row), strict=True))


def warnings(made: Made, tally: Tally) -> Iterable[str]:
    """Yield what the user of an export with these rows should know."""
    form = find_format(made.format)
    if not tally.total:
        yield form.empty
        return
    if form.name == "kto" and tally.wrong in (0, tally.total):
        yield f"All rows are {'wrong' if tally.wrong else 'right'}: KTO learns from both."
    if not form.compares and tally.read >= _ENOUGH and tally.distinct < _LEAST_DISTINCT:
        yield (
            f"Only {tally.distinct:.0%} of the questions are distinct: "
            "use another model, or look at the rows in `bonito-local review`."
        )
    for name in made.split.names:
        count = tally.in_split(name)
        if not count:
            yield f"The {name} split is empty: too few documents for {made.split}."
        elif count < form.least and name != "test":
            yield f"The {name} split has {count} rows; {form.name} takes {form.least} or more."
