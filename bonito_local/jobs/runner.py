"""The core loop: passages are planned, pending samples asked for, completions judged and kept."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from textwrap import shorten

from bonito_local.backends.base import Backend
from bonito_local.errors import BackendError, ModelError
from bonito_local.jobs.drawing import draw
from bonito_local.jobs.exchange import Exchange, Manner, Verifier
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.planning import Item, plan
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.prompts import BONITO
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Store
from bonito_local.passages.types import USUAL, ReadOptions
from bonito_local.writing.writer import Writer

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
    verifier: Verifier | None = None,
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
        manner = Manner(spec, types, judge, writer, verifier)
        _generate(store, backend, manner, notify, stop)
    return store.ledger()


def _generate(store: Store, backend: Backend, manner: Manner, notify: Notify, stop: Stop) -> None:
    ledger = store.ledger()
    if not ledger.planned:
        return
    if ledger.pending and manner.judge.thresholds.retrieval_rank:
        store.index_passages()
    earlier = ledger.planned - ledger.pending
    progress = Progress(
        "generating", store.passage_count(), 0, ledger.planned, earlier, earlier, ledger.accepted
    )
    notify(progress)
    if not ledger.pending:
        return
    exchange = Exchange(manner, stop=stop)
    exchange.plan(store.pending(), ledger.pending)
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
        with closing(draw(backend, exchange)) as completions:
            for completion in completions:
                first, result, ended = exchange.take(completion)
                if ended:
                    recorder.put(result)
                # Samples of one request share its prefill.
                prompt_tokens += completion.prompt_tokens if first else 0
                completion_tokens += completion.completion_tokens
                last = time.monotonic()
                if last - notified >= _NOTIFY_SECONDS:
                    notify(so_far())
                    notified = last
                if stop():
                    break
                if unread is not None and manner.writer is not BONITO:
                    unread = [*unread, completion.text] if result.outcome == "unparseable" else None
                    if unread and len(unread) == _ENOUGH:
                        raise _formless(unread)
    finally:
        recorder.close()
    if exchange.open and not stop():
        raise BackendError(
            f"The {backend.name} engine ended without an answer to {exchange.open} requests.",
            "Run the same command again: it asks for these alone.",
        )
    notify(so_far())


def _formless(written: list[str]) -> ModelError:
    first = " ".join(written[0].split())
    return ModelError(
        f"The model does not keep to the form: none of its first {_ENOUGH} answers can be read. "
        f"It wrote: {shorten(first, 160, placeholder=' ...') or 'nothing'}",
        "Use a model that follows instructions, or --prompt bonito for one that was trained on "
        "Bonito's format; `bonito-local models list` names some. The same command goes on.",
    )
