"""Planning: documents become passages with pending samples, streamed, and read only once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bonito_local.errors import DocumentError
from bonito_local.jobs.journal import Mark
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.repeats import told
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.passages.ahead import read_ahead
from bonito_local.passages.discover import find_documents
from bonito_local.passages.reader import passages_of
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import USUAL, Document, Passage, Problem, ReadOptions

_BATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Finished:
    """The passages of a document have all come; `problems` are what was wrong with it."""

    mark: Mark
    problems: list[Problem]


Item = Passage | Problem | Finished


def manner(spec: JobSpec, options: ReadOptions) -> str:
    """What a document is planned as: the same again gives the same samples."""
    tasks = [task.short for task in spec.tasks]
    plain = Lengths(spec.passage_tokens)
    parts: list[Any] = []
    if spec.lengths != plain or spec.keep_repeats:
        parts = [spec.target_tokens, spec.overlap_tokens, spec.keep_repeats]
    parts += [options.ocr] if options.ocr else []
    parts += ["hidden"] if options.hidden else []
    parts += ["cover"] if spec.cover else []
    return json.dumps([tasks, spec.sampling.n, spec.passage_tokens, options.column, *parts])


def read_documents(
    store: Store,
    paths: Sequence[Path],
    count_tokens: Callable[[str], int],
    spec: JobSpec,
    options: ReadOptions = USUAL,
) -> Iterator[Item]:
    """Yield the passages of all documents but those that are planned and unchanged.

    A document counts as unchanged while its size and time of modification are. With a limit
    all are read, since passages must be counted.
    """
    how = manner(spec, options)
    marks: dict[Document, Mark | None] = {}

    def unread() -> Iterator[Document | Problem]:
        for found in find_documents(paths):
            if isinstance(found, Document):
                mark = marks[found] = _mark(found)  # before it is read: it may change meanwhile
                known = store.was_read(mark, how) if mark and spec.limit is None else None
                if known is not None:
                    del marks[found]
                    yield from known
                    continue
            yield found

    for found in read_ahead(unread(), options):
        if isinstance(found, Problem):
            yield found
            continue
        document, items = found
        mark, problems = marks.pop(document), list[Problem]()
        try:
            for item in passages_of(document, items, count_tokens, spec.lengths):
                if isinstance(item, Problem):
                    problems.append(item)
                yield item
        except DocumentError as error:
            # Not noted as read: what was wrong may be mended without a change of the file.
            yield Problem(document.source, error.title, error.remedy)
            continue
        if mark:
            yield Finished(mark, problems)


def _mark(document: Document) -> Mark | None:
    try:
        found = document.path.stat()
    except OSError:
        return None  # Reading it says why.
    return Mark(document.source, found.st_size, found.st_mtime_ns)


def plan(
    store: Store,
    spec: JobSpec,
    items: Iterable[Item],
    options: ReadOptions = USUAL,
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
) -> None:
    """Plan what comes, a transaction every half second: documents are read outside of it."""
    tasks, how = [task.short for task in spec.tasks], manner(spec, options)
    progress = Progress("reading")
    repeats: dict[str, tuple[str, int]] = {}  # of each document: the first one's, and how many
    notify(progress)
    with store.transaction():
        store.clear_problems()
    for batch in _batches(_wanted(items, spec.limit, stop)):
        with store.transaction():
            for item in batch:
                if isinstance(item, Passage):
                    found = None if spec.keep_repeats else store.repeated(item)
                    if found:
                        first, count = repeats.get(item.source, (found.source, 0))
                        repeats[item.source] = first, count + 1
                    if not found or found.exactly:  # its text is planned, perhaps not all tasks
                        store.add_passage(item, tasks, spec.rows(item.text))
                elif isinstance(item, Problem):
                    store.add_problem(item)
                else:
                    problems = item.problems
                    if repeated := repeats.pop(item.mark.source, None):
                        problems = [*problems, told(item.mark.source, *repeated)]
                        store.add_problem(problems[-1])
                    store.set_read(item.mark, how, problems)
        progress = replace(
            progress,
            passages=progress.passages + sum(isinstance(item, Passage) for item in batch),
            problems=progress.problems + sum(isinstance(item, Problem) for item in batch),
        )
        notify(progress)


def _wanted(items: Iterable[Item], limit: int | None, stop: Stop) -> Iterator[Item]:
    """Yield until `limit` passages have been, or the run stops; reading ends there too."""
    count = 0
    for item in items:
        yield item
        count += isinstance(item, Passage)
        if count == limit or stop():
            return


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    deadline = time.monotonic() + _BATCH_SECONDS
    for item in items:
        batch.append(item)
        if time.monotonic() >= deadline:
            yield batch
            batch, deadline = [], time.monotonic() + _BATCH_SECONDS
    if batch:
        yield batch
