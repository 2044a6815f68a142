"""All jobs of the user, kept up to date for a front end that stays open.

Looking at a job opens its database. With many jobs on the list only those are looked at again
that a process works on, or whose files have changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bonito_local.jobs.folder import store_path
from bonito_local.jobs.registry import Entry, Registry
from bonito_local.jobs.state import AT_WORK, Listed, look_at

_FIRST, _MOST = 5, 80  # jobs in a batch: lines show at once, and then few times
_Signature = tuple[tuple[int, int], ...]


class Board:
    """What was last seen of each job, by number."""

    def __init__(self) -> None:
        self.jobs: dict[int, Listed] = {}
        self._signatures: dict[int, _Signature] = {}

    def entries(self) -> list[Entry]:
        """The jobs on the list, the newest first; those no longer there are forgotten."""
        entries = sorted(Registry().entries(), key=lambda entry: -entry.id)
        gone = self.jobs.keys() - {entry.id for entry in entries}
        for job in gone:
            self.jobs.pop(job)
            self._signatures.pop(job, None)
        return entries

    def look(self, entries: Sequence[Entry], first: Sequence[int] = ()) -> Iterator[list[Listed]]:
        """Yield, in batches, the jobs that are not as they were; those numbered `first` first."""
        order = {job: at for at, job in enumerate(first)}
        batch: list[Listed] = []
        size = _FIRST
        for entry in sorted(entries, key=lambda entry: order.get(entry.id, len(order))):
            if self._is_as_it_was(entry):
                continue
            listed = look_at(entry)
            self._signatures[entry.id] = _signature(entry.output)
            if listed != self.jobs.get(entry.id):
                self.jobs[entry.id] = listed
                batch.append(listed)
            if len(batch) == size:
                yield batch
                batch, size = [], min(2 * size, _MOST)
        if batch:
            yield batch

    def _is_as_it_was(self, entry: Entry) -> bool:
        seen = self.jobs.get(entry.id)
        if seen is None or (seen.job is not None and seen.job.state in AT_WORK):
            return False
        return self._signatures.get(entry.id) == _signature(entry.output)


def _signature(output: Path) -> _Signature:
    store = store_path(output)
    found = []
    for path in (store, store.with_name(store.name + "-wal")):
        try:
            stat = path.stat()
            found.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)
