"""The core loop: passages are planned, pending samples asked for, completions judged and kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from textwrap import shorten

from bonito_local.backends.base import Backend, Completion, Lines, Request, Sample
from bonito_local.backends.registry import BACKENDS
from bonito_local.errors import BackendError, ModelError
from bonito_local.jobs.guided import shape_of
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.planning import Item, plan
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.prompts import BONITO
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.seeds import sample_seed
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Attempt, Pending, Result, Store
from bonito_local.passages.types import USUAL, ReadOptions
from bonito_local.tasks import TaskType
from bonito_local.writing.writer import Ask, Assignment, Writer

NOT_REPRODUCED = "the answer is not reproduced"
_ANSWER_TOKENS = 48
_ENOUGH = 20  # answers that cannot be read, before the job ends
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
    writer: Writer = BONITO,
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
        engine = BACKENDS.get(spec.backend)
        holds = engine is not None and engine.able.guided
        _generate(store, backend, _Job(spec, types, judge, writer, holds), notify, stop)
    return store.ledger()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with the engine.

    `samples` maps the indices of samples still to come to their ids in the store, of `count`;
    `checked` is the row whose answer is asked for again.
    """

    assignment: Assignment
    pending: Pending
    samples: dict[int, int]
    count: int = 1
    earlier: tuple[Attempt, ...] = ()
    checked: tuple[Result, Completion] | None = None


@dataclass(frozen=True)
class _Job:
    """What is the same for all samples: `types` are the task types by short name.

    `holds` says whether the engine holds completions to their shape.
    """

    spec: JobSpec
    types: Mapping[str, TaskType]
    judge: Judge
    writer: Writer
    holds: bool

    @cached_property
    def turns(self) -> dict[str, int]:
        """Each task type's place."""
        return {task.short: turn for turn, task in enumerate(self.spec.tasks)}

    def shape(self, ask: Ask) -> Lines | None:
        """What a completion is held to."""
        return ask.shape if self.holds else None


class _Requests:
    """Requests as the engine pulls them: what follows from a completion, then what is planned.

    It may have more after it had none: a row that came is checked, or written anew.
    """

    def __init__(self, planned: Iterator[Request], most: int, stop: Stop) -> None:
        self.following: deque[Request] = deque()
        self._planned = planned
        self._most = most
        self._stop = stop

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self.following and not self._stop():
            return self.following.popleft()
        return next(self._planned)

    def __length_hint__(self) -> int:
        """The most that there can be: a cluster sizes its blocks by it."""
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
    requests = _Requests(_planned(store, job, asked, stop), ledger.pending, stop)
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

    unread: list[str] | None = []  # what was written, while nothing of it could be read
    try:
        with closing(_completions(backend, requests)) as completions:
            for completion in completions:
                first, result = _take(asked, completion, recorder, job, requests.following)
                # Samples of one request share its prefill.
                prompt_tokens += completion.prompt_tokens if first else 0
                completion_tokens += completion.completion_tokens
                last = time.monotonic()
                if last - notified >= _NOTIFY_SECONDS:
                    notify(so_far())
                    notified = last
                if stop():
                    break
                if unread is not None and job.writer is not BONITO:
                    unread = [*unread, completion.text] if _unread(result) else None
                    if unread and len(unread) == _ENOUGH:
                        raise _formless(unread)
    finally:
        recorder.close()
    if asked and not stop():
        raise BackendError(
            f"The {backend.name} engine ended without an answer to {len(asked)} requests.",
            "Run the same command again: it asks for these alone.",
        )
    notify(so_far())


def _unread(result: Result) -> bool:
    return result.outcome == "unparseable"


def _formless(written: list[str]) -> ModelError:
    first = " ".join(written[0].split())
    return ModelError(
        f"The model does not keep to the form: none of its first {_ENOUGH} answers can be read. "
        f"It wrote: {shorten(first, 160, placeholder=' ...') or 'nothing'}",
        "Use a model that follows instructions, or --prompt bonito for one that was trained on "
        "Bonito's format; `bonito-local models list` names some. The same command goes on.",
    )


def _completions(backend: Backend, requests: _Requests) -> Generator[Completion, None, None]:
    """Yield completions until nothing follows from them any more."""
    while True:
        completions = backend.generate(requests)
        try:
            yield from completions
        finally:
            # Closing the engine's generator drops what it has only begun.
            close = getattr(completions, "close", None)
            if close is not None:
                close()
        if not requests.following:
            return


def _planned(store: Store, job: _Job, asked: dict[str, _Asked], stop: Stop) -> Iterator[Request]:
    """Yield requests for all pending samples, those of a passage and task type together."""
    for _, group in groupby(store.pending(), key=lambda p: (p.passage, p.task)):
        samples = list(group)
        shared = job.writer.shared(job.types[samples[0].task])
        for some in [samples] if shared else [[sample] for sample in samples]:
            if stop():
                return
            yield _request(job, asked, some)


def _request(
    job: _Job,
    asked: dict[str, _Asked],
    samples: list[Pending],
    earlier: tuple[Attempt, ...] = (),
) -> Request:
    """Ask for samples that have one prompt."""
    spec, first = job.spec, samples[0]
    task = job.types[first.task]
    # An earlier run may have planned more samples than this one asks for.
    n = max(spec.rows(first.text), samples[-1].sample + 1)
    turn = job.turns.get(first.task, 0)
    assignment = Assignment(task, first.text, first.place, first.sample, n, turn, first.attempt)
    ask = job.writer.ask(assignment)
    seed = spec.sampling.seed
    alone = earlier or not job.writer.shared(task)
    request = Request(
        id=f"{first.passage}/{first.task}" + (f"/{first.sample}/{first.attempt}" if alone else ""),
        prompt=ask.prompt,
        sampling=replace(spec.sampling, n=n, stop=spec.sampling.stop + ask.stop),
        samples=tuple(
            Sample(s.sample, sample_seed(seed, s.hash, s.task, s.sample, s.attempt))
            for s in samples
        ),
        shape=shape_of(task, first.text, spec.labels) if spec.guided else job.shape(ask),
    )
    keys = {s.sample: s.id for s in samples}
    asked[request.id] = _Asked(assignment, first, keys, len(keys), earlier)
    return request


def _check(
    job: _Job, asked: dict[str, _Asked], entry: _Asked, ask: Ask, row: tuple[Result, Completion]
) -> Request:
    """Ask for a row's answer again."""
    result, written = row
    sampling = replace(job.spec.sampling, n=1, stop=ask.stop)
    if ask.greedy:
        sampling = replace(sampling, temperature=0.0, max_tokens=_ANSWER_TOKENS)
    sample = Sample(written.sample, 0)
    request = Request(
        f"{written.request_id}/{written.sample}/check",
        ask.prompt,
        sampling,
        (sample,),
        job.shape(ask),
    )
    asked[request.id] = replace(entry, samples={written.sample: result.id}, count=1, checked=row)
    return request


def _take(
    asked: dict[str, _Asked],
    completion: Completion,
    recorder: Recorder,
    job: _Job,
    following: deque[Request],
) -> tuple[bool, Result]:
    """Judge one completion, and record it or ask on.

    Returns whether it is its request's first, and how the row stands.
    """
    entry = asked.get(completion.request_id)
    key = entry.samples.pop(completion.sample, None) if entry else None
    if entry is None or key is None:
        raise BackendError(
            f"The engine answered {completion.request_id!r} sample {completion.sample}, "
            "which was not asked.",
            "This is a fault of the engine; what had finished is kept.",
        )
    first = len(entry.samples) == entry.count - 1
    if not entry.samples:
        del asked[completion.request_id]
    if entry.checked:
        result = _verdict(job, entry.assignment, *entry.checked, completion)
    else:
        result = _result(job, entry, key, completion)
        if result.outcome == "accepted" and job.judge.thresholds.round_trip:
            assignment = replace(entry.assignment, sample=completion.sample)
            if ask := job.writer.check(assignment, completion):
                following.append(_check(job, asked, entry, ask, (result, completion)))
                return first, result
    retries = job.judge.thresholds.retries or 0
    if result.outcome in ("unparseable", "rejected") and len(entry.earlier) < retries:
        attempt = Attempt(entry.pending.attempt, result.outcome, result.reason, result.completion)
        again = replace(
            entry.pending, id=key, sample=completion.sample, attempt=entry.pending.attempt + 1
        )
        following.append(_request(job, asked, [again], (*entry.earlier, attempt)))
    else:
        recorder.put(replace(result, earlier=entry.earlier))
    return first, result


def _result(job: _Job, entry: _Asked, key: int, completion: Completion) -> Result:
    """Judge a row by itself."""
    assignment = replace(entry.assignment, sample=completion.sample)
    written = job.writer.written(assignment, completion)
    result = job.judge.result(key, assignment.task, assignment.passage, written, assignment.heading)
    if result.outcome == "accepted" and (why := job.writer.fault(assignment, completion)):
        result = replace(result, outcome="rejected", reason=why)
    sentence = job.writer.evidence(assignment)
    return replace(result, evidence=(sentence.start, sentence.end)) if sentence else result


def _verdict(
    job: _Job, assignment: Assignment, result: Result, row: Completion, again: Completion
) -> Result:
    """Judge a row by what its question was answered the second time."""
    if again.finish_reason == "failed":
        return result
    answer = again.text.strip()
    if job.writer.reproduced(assignment, row, answer):
        return replace(result, reread=answer)
    return replace(result, outcome="rejected", reason=NOT_REPRODUCED, reread=answer)
