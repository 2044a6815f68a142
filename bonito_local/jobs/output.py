"""From a job's store to its dataset: the rows of an export, and what the job says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bonito_local import airgap
from bonito_local.exports.account import Account, Made
from bonito_local.exports.dataset import Written, write_dataset
from bonito_local.exports.row import document_of
from bonito_local.jobs.exportspec import Export
from bonito_local.jobs.pairing import export_rows
from bonito_local.jobs.selection import told
from bonito_local.jobs.store import Store


def write_output(store: Store, folder: Path, wanted: Export | None = None) -> Written:
    """Write an export of the job to `folder`: its whole dataset, if nothing else is wanted.

    Rows are ordered by passage, task and sample, whatever order they came in.

    Raises:
        OutputError: `folder` cannot be written to.
    """
    wanted = wanted or Export()
    # A person may be reviewing meanwhile, and rows are read more than once.
    with store.snapshot():
        found = export_rows(store, wanted)
        said = account(store)
        return write_dataset(folder, found, said, made(store, wanted), placing(store, wanted))


def made(store: Store, wanted: Export) -> Made:
    """How an export is made, as its card says it."""
    rows = told(store, wanted.choice)
    reasoned = "reasoning" in store.settings()
    return Made(wanted.format, wanted.split, wanted.strip_source, rows, reasoned)


def placing(store: Store, wanted: Export) -> Callable[[str], str]:
    """Return what says which split a document of the export is in."""
    if len(wanted.split.shares) == 1:
        return wanted.split.of
    return wanted.split.place(map(document_of, export_rows(store, wanted)))


def account(store: Store) -> Account:
    """What the job says of itself: its ledger, its settings, its review."""
    counted = store.ledger()
    ledger, held, review = counted.as_json(), _air_gaps(store), store.reviewed()
    ledger["air_gap"] = held
    if cluster := store.load("cluster"):
        ledger["cluster"] = cluster
    return Account(
        name=store.path.parent.parent.name,
        settings=store.settings(),
        counts=tuple((c.task, c.outcome, c.reason, c.samples) for c in counted.counts),
        ledger=ledger,
        problems=tuple(asdict(problem) for problem in store.problems()),
        documents=store.document_count(),
        passages=store.passage_count(),
        air_gap=tuple(held),
        versions=tuple(store.load("versions") or ()),
        model=store.load("model") or {},
        review=(review.accepted, review.rejected, review.edited),
    )


def keep_air_gap(store: Store) -> None:
    """Note what keeps this run of the job from the network, before it reads or draws anything."""
    held = airgap.active()
    store.save("airgap", "online" if held.online else list(held.parts))
    kept = _air_gaps(store)
    if str(held) not in kept:
        store.save("air_gaps", [*kept, str(held)])


def _air_gaps(store: Store) -> list[str]:
    """Return what kept each run of the job from the network, where they differ."""
    kept: list[str] = store.load("air_gaps") or []
    return kept
