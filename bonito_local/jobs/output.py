"""From a job's store to its dataset folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bonito_local import airgap
from bonito_local.exports.dataset import Row, write_dataset
from bonito_local.jobs.seeds import sample_seed
from bonito_local.jobs.store import Store


def write_output(store: Store, output: Path) -> int:
    """Write every accepted row of the job to `output` and return their number.

    Rows are ordered by passage, task and sample, whatever order they came in.

    Raises:
        OutputError: `output` cannot be written to.
    """
    ledger = store.ledger().as_json()
    ledger["air_gap"] = held = _air_gaps(store)
    problems = [asdict(problem) for problem in store.problems()]
    settings = {**store.settings(), "air_gap": "; ".join(held)}
    return write_dataset(output, _rows(store), ledger, problems, settings)


def _air_gaps(store: Store) -> list[str]:
    """Return what kept each run of the job from the network, where they differ; so far."""
    ran = store.load("airgap")  # the last run's own note: this process may only be writing
    now = airgap.Enforcement(tuple(ran or ())) if ran != "online" else airgap.OPEN
    kept: list[str] = store.load("air_gaps") or []
    if (told := str(airgap.active() if ran is None else now)) not in kept:
        kept.append(told)
        store.save("air_gaps", kept)
    return kept


def _rows(store: Store) -> Iterator[Row]:
    settings = store.settings()
    seed, model = int(settings["seed"]), str(settings["model"])
    for row in store.accepted():
        yield Row(
            input=row.instruction,
            output=row.response,
            task_type=row.task,
            passage=row.passage,
            source=row.source,
            source_sha256=row.source_sha256,
            page=row.page,
            start=row.start,
            end=row.end,
            heading=row.heading,
            model=model,
            seed=sample_seed(seed, row.passage_hash, row.task, row.sample, row.attempt),
            sample=row.sample,
        )
