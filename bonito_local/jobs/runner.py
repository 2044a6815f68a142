"""The core loop: passages are planned, pending samples asked for, completions judged and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from bonito_local.backends.base import Backend, Completion, Request, Sample
from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.rules import check
from bonito_local.errors import BackendError
from bonito_local.jobs.guided import shape_of
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.seeds import sample_seed
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Result, Store
from bonito_local.passages.types import Passage, Problem
from bonito_local.tasks import TaskType, format_prompt, parse_completion, task_type

_PLAN_SECONDS = 0.5
_NOTIFY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands.

    `done` of `planned` samples have an outcome, `earlier` of them from runs before;
    tokens and seconds are this run's.
    """

    phase: Literal["measuring this machine", "reading", "generating"]
    passages: int = 0
    problems: int = 0
    planned: int = 0
    earlier: int = 0
    done: int = 0
    accepted: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def seconds_left(self) -> float | None:
        """Time left at this run's pace, None before its first outcome."""
        new = self.done - self.earlier
        return self.seconds / new * (self.planned - self.done) if new > 0 else None


Notify = Callable[[Progress], None]
Stop = Callable[[], bool]


def run_job(
    store: Store,
    backend: Backend,
    spec: JobSpec,
    passages: Iterable[Passage | Problem],
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
) -> Ledger:
    """Plan every passage, then generate whatever has no outcome yet.

    What a store already holds is neither planned nor asked for again, so the same
    call goes on where an earlier one stopped, however that ended. It returns early
    when `stop()` turns true.

    Raises:
        JobError: the store holds a job with other settings, or cannot be written.
        BackendError: the engine failed; what had finished is kept.
    """
    store.bind(spec.settings())
    _plan(store, spec, passages, notify, stop)
    if not stop():
        _generate(store, backend, spec, notify, stop)
    return store.ledger()


def _plan(
    store: Store, spec: JobSpec, passages: Iterable[Passage | Problem], notify: Notify, stop: Stop
) -> None:
    tasks = [task.short for task in spec.tasks]
    progress = Progress("reading")
    notify(progress)
    with store.transaction():
        store.clear_problems()
    for batch in _batches(_wanted(passages, spec.limit, stop)):
        with store.transaction():
            for item in batch:
                if isinstance(item, Passage):
                    store.add_passage(item, tasks, spec.sampling.n)
                else:
                    store.add_problem(item)
        problems = sum(isinstance(item, Problem) for item in batch)
        progress = replace(
            progress,
            passages=progress.passages + len(batch) - problems,
            problems=progress.problems + problems,
        )
        notify(progress)


def _wanted(
    passages: Iterable[Passage | Problem], limit: int | None, stop: Stop
) -> Iterator[Passage | Problem]:
    """Yield until `limit` passages have been, or the run stops; reading ends there too."""
    count = 0
    for item in passages:
        yield item
        count += isinstance(item, Passage)
        if count == limit or stop():
            return


def _batches(items: Iterable[Passage | Problem]) -> Iterator[list[Passage | Problem]]:
    """Collect what comes within half a second: documents are read outside a transaction."""
    batch: list[Passage | Problem] = []
    deadline = time.monotonic() + _PLAN_SECONDS
    for item in items:
        batch.append(item)
        if time.monotonic() >= deadline:
            yield batch
            batch, deadline = [], time.monotonic() + _PLAN_SECONDS
    if batch:
        yield batch


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with the engine.

    `samples` maps the indices of samples still to come to their ids in the store.
    """

    task: TaskType
    passage: str
    asked: int
    samples: dict[int, int]


def _generate(store: Store, backend: Backend, spec: JobSpec, notify: Notify, stop: Stop) -> None:
    ledger = store.ledger()
    if not ledger.planned:
        return
    earlier = ledger.planned - ledger.pending
    progress = Progress(
        "generating", store.passage_count(), 0, ledger.planned, earlier, earlier, ledger.accepted
    )
    notify(progress)
    if not ledger.pending:
        return
    asked: dict[str, _Asked] = {}
    completions = backend.generate(_requests(store, spec, asked, stop))
    recorder = Recorder(store)
    start = notified = time.monotonic()
    try:
        for completion in completions:
            first = _take(asked, completion, recorder)
            now = time.monotonic()
            progress = replace(
                progress,
                done=earlier + recorder.ends.total(),
                accepted=ledger.accepted + recorder.ends["accepted"],
                # Samples of one request share its prefill.
                prompt_tokens=progress.prompt_tokens + first * completion.prompt_tokens,
                completion_tokens=progress.completion_tokens + completion.completion_tokens,
                seconds=now - start,
            )
            if now - notified >= _NOTIFY_SECONDS:
                notify(progress)
                notified = now
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
    notify(
        replace(
            progress,
            done=earlier + recorder.ends.total(),
            accepted=ledger.accepted + recorder.ends["accepted"],
        )
    )


def _requests(
    store: Store, spec: JobSpec, asked: dict[str, _Asked], stop: Stop
) -> Iterator[Request]:
    """Yield a request for each passage and task with pending samples, as the engine pulls."""
    for (passage, short), group in groupby(store.pending(), key=lambda p: (p.passage, p.task)):
        if stop():
            return
        samples = list(group)
        task, text = task_type(short), samples[0].text
        # An earlier run may have planned more samples than this one asks for.
        n = max(spec.sampling.n, samples[-1].sample + 1)
        request = Request(
            id=f"{passage}/{short}",
            prompt=format_prompt(task, text),
            sampling=replace(spec.sampling, n=n),
            samples=tuple(
                Sample(s.sample, sample_seed(spec.sampling.seed, s.hash, short, s.sample))
                for s in samples
            ),
            shape=shape_of(task, text, spec.labels) if spec.guided else None,
        )
        asked[request.id] = _Asked(task, text, len(samples), {s.sample: s.id for s in samples})
        yield request


def _take(asked: dict[str, _Asked], completion: Completion, recorder: Recorder) -> bool:
    """Judge and record one completion; return whether it is its request's first."""
    request = asked.get(completion.request_id)
    key = request.samples.pop(completion.sample, None) if request else None
    if request is None or key is None:
        raise BackendError(
            f"The engine answered {completion.request_id!r} sample {completion.sample}, "
            "which was not asked.",
            "This is a fault of the engine; what had finished is kept.",
        )
    recorder.put(judge(key, request.task, request.passage, completion))
    if not request.samples:
        del asked[completion.request_id]
    return len(request.samples) == request.asked - 1


def judge(key: int, task: TaskType, passage: str, completion: Completion) -> Result:
    """Return how the sample with id `key` ended."""
    result = Result(
        key,
        "failed",
        completion.error,
        completion.text,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
    )
    if completion.finish_reason == "failed":
        return result
    pair = parse_completion(completion.text, passage)
    if pair is None:
        return replace(result, outcome="unparseable", reason="")
    result = replace(result, instruction=pair.instruction, response=pair.response)
    reason = check(task, pair, passage, completion.text)
    if reason is None and completion.finish_reason == "length":
        reason = "cut off at the token limit"
    if reason is not None:
        return replace(result, outcome="rejected", reason=reason)
    return replace(result, outcome="accepted", reason="", digest=pair_digest(pair))
