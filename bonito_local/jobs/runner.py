"""The core loop: passages are planned, pending samples asked for, completions judged and kept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from bonito_local.backends.base import Backend, Completion, Request, Sample
from bonito_local.errors import BackendError
from bonito_local.jobs.guided import shape_of
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.planning import Item, plan
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.prompts import BONITO, Asking
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.seeds import sample_seed
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.passages.types import USUAL, ReadOptions
from bonito_local.tasks import TaskType

_NOTIFY_SECONDS = 0.1


def run_job(
    store: Store,
    backend: Backend,
    spec: JobSpec,
    passages: Iterable[Item] | None,
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
    options: ReadOptions = USUAL,
    judge: Judge | None = None,
    asking: Asking = BONITO,
) -> Ledger:
    """Plan every passage, then generate whatever has no outcome yet.

    What a store already holds is neither planned nor asked for again, so the same
    call goes on where an earlier one stopped, however that ended. It returns early
    when `stop()` turns true. With no `passages` to come, what is planned is generated.

    Raises:
        JobError: the store holds a job with other settings, or cannot be written.
        BackendError: the engine failed; what had finished is kept.
    """
    store.bind(spec.settings())
    types = remember(store, spec.tasks)
    if passages is not None:
        store.save("planned", False)
        plan(store, spec, passages, options, notify, stop)
        if not stop():
            store.save("planned", True)
    if not stop():
        judge = judge or Judge(spec.checks, spec.labels)
        _generate(store, backend, _Job(spec, types, judge, asking), notify, stop)
    return store.ledger()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with the engine.

    `samples` maps the indices of samples still to come to their ids in the store.
    """

    task: TaskType
    passage: str
    asked: int
    samples: dict[int, int]


@dataclass(frozen=True, slots=True)
class _Job:
    """What is the same for all samples: `types` are the task types by short name."""

    spec: JobSpec
    types: Mapping[str, TaskType]
    judge: Judge
    asking: Asking


class _Pending:
    """The requests, and the most that there can be: a cluster sizes its blocks by it."""

    def __init__(self, requests: Iterator[Request], most: int) -> None:
        self._requests = requests
        self._most = most

    def __iter__(self) -> Iterator[Request]:
        return self._requests

    def __length_hint__(self) -> int:
        return self._most


def _generate(store: Store, backend: Backend, job: _Job, notify: Notify, stop: Stop) -> None:
    ledger = store.ledger()
    if not ledger.planned:
        return
    if ledger.pending and job.judge.thresholds.retrieval_rank:
        store.index_passages()
    earlier = ledger.planned - ledger.pending
    progress = Progress(
        "generating", store.passage_count(), 0, ledger.planned, earlier, earlier, ledger.accepted
    )
    notify(progress)
    if not ledger.pending:
        return
    asked: dict[str, _Asked] = {}
    completions = backend.generate(_Pending(_requests(store, job, asked, stop), ledger.pending))
    recorder = Recorder(store)
    start = notified = last = time.monotonic()
    prompt_tokens = completion_tokens = 0

    def so_far() -> Progress:
        return replace(
            progress,
            done=earlier + recorder.ends.total(),
            accepted=ledger.accepted + recorder.ends["accepted"],
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            seconds=last - start,
        )

    try:
        for completion in completions:
            # Samples of one request share its prefill.
            if _take(asked, completion, recorder, job):
                prompt_tokens += completion.prompt_tokens
            completion_tokens += completion.completion_tokens
            last = time.monotonic()
            if last - notified >= _NOTIFY_SECONDS:
                notify(so_far())
                notified = last
            if stop():
                break
    finally:
        # Closing the engine's generator drops what it has only begun.
        close = getattr(completions, "close", None)
        if close is not None:
            close()
        recorder.close()
    if asked and not stop():
        raise BackendError(
            f"The {backend.name} engine ended without an answer to {len(asked)} requests.",
            "Run the same command again: it asks for these alone.",
        )
    notify(so_far())


def _requests(store: Store, job: _Job, asked: dict[str, _Asked], stop: Stop) -> Iterator[Request]:
    """Yield a request for each passage and task with pending samples, as the engine pulls."""
    spec = job.spec
    for (passage, short), group in groupby(store.pending(), key=lambda p: (p.passage, p.task)):
        if stop():
            return
        samples = list(group)
        task, text = job.types[short], samples[0].text
        # An earlier run may have planned more samples than this one asks for.
        n = max(spec.sampling.n, samples[-1].sample + 1)
        request = Request(
            id=f"{passage}/{short}",
            prompt=job.asking.prompt(task, text),
            sampling=replace(spec.sampling, n=n),
            samples=tuple(
                Sample(
                    s.sample, sample_seed(spec.sampling.seed, s.hash, short, s.sample, s.attempt)
                )
                for s in samples
            ),
            shape=shape_of(task, text, spec.labels) if spec.guided else None,
        )
        asked[request.id] = _Asked(task, text, len(samples), {s.sample: s.id for s in samples})
        yield request


def _take(asked: dict[str, _Asked], completion: Completion, recorder: Recorder, job: _Job) -> bool:
    """Judge and record one completion; return whether it is its request's first."""
    request = asked.get(completion.request_id)
    key = request.samples.pop(completion.sample, None) if request else None
    if request is None or key is None:
        raise BackendError(
            f"The engine answered {completion.request_id!r} sample {completion.sample}, "
            "which was not asked.",
            "This is a fault of the engine; what had finished is kept.",
        )
    task, passage = request.task, request.passage
    written = job.asking.written(task, passage, completion)
    recorder.put(job.judge.result(key, task, passage, written))
    if not request.samples:
        del asked[completion.request_id]
    return len(request.samples) == request.asked - 1
