"""From a job's store to its dataset folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

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
    problems = [asdict(problem) for problem in store.problems()]
    return write_dataset(output, _rows(store), ledger, problems, store.settings())


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
