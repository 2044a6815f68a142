"""Scores of a job's rows by the model itself: whether it stands by what it wrote.

agreement asks the model for its response again, with passage and instruction as they are, and
compares (token F1, as for SQuAD). support and gain are log-probabilities of the response, with
the passage, and how much less likely it is without: a row that can be answered without its
passage teaches no reading (Kaushik and Lipton, 2018, found many such in reading tests).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from statistics import fmean

from bonito_local.backends.base import Backend, Request, Sample, Sampling
from bonito_local.backends.likelihood import Likelihood, Scorer
from bonito_local.backends.registry import (
    check_installed,
    check_scores,
    open_backend,
    open_scorer,
)
from bonito_local.checks.text import without_passage, words
from bonito_local.errors import JobError
from bonito_local.jobs.engine import engine_plan, find_model
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.output import write_output
from bonito_local.jobs.own_tasks import remember
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.prompts import writer_of
from bonito_local.jobs.scoretable import Unscored
from bonito_local.jobs.selection import Selection, select_by
from bonito_local.jobs.store import Store
from bonito_local.models.fit import metadata
from bonito_local.tasks import CONTEXT, PIPE, TaskType
from bonito_local.writing.writer import Writer

_AGAIN = Sampling(n=3, temperature=0.7, top_p=0.95)
_BATCH = 32  # rows scored together, and kept together


def score_job(
    job: Generation,
    wanted: Selection | None,
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
) -> int | None:
    """Score the accepted rows that have no scores, write the dataset anew; return its rows.

    With no selection the job's own stays. Where it stops early what is scored is kept, the
    dataset stays as it is, and None is returned.

    Raises:
        BonitoError: the job cannot be read, its model is another now, or it cannot score.
    """
    check_scores(job.backend)
    with open_job(job.output) as store:
        if wanted is not None:
            select_by(store, wanted)
        _score(store, job, notify, stop)
        if store.unscored(0, 1):
            return None
        return write_output(store, job.output).total


def _score(store: Store, job: Generation, notify: Notify, stop: Stop) -> None:
    types = remember(store, [])
    planned = store.ledger().accepted
    if not store.unscored(0, 1):
        return
    check_installed(job.backend)
    model = find_model(job.model, job.backend, job.engine)
    settings = store.settings()
    hashes = model.file.sha256, model.adapter_sha256
    if hashes != (settings.get("model_sha256"), settings.get("adapter", "")):
        raise JobError(
            f"{job.model} is not the model that wrote the rows any more.",
            "Put that file back, or run the job anew with this one to another folder.",
        )
    plan = replace(engine_plan(job, model), n=_AGAIN.n, tune=False)
    with closing(open_backend(job.backend, model.file.path, plan)) as backend:
        writer = writer_of(job.prompt, metadata(backend))
        after = done = 0
        with closing(open_scorer(job.backend, backend)) as scorer:
            while not stop() and (rows := store.unscored(after, _BATCH)):
                notify(Progress("scoring", done=done, planned=planned))
                store.set_scores(
                    zip(rows, score_rows(backend, scorer, writer, types, rows), strict=True)
                )
                after, done = rows[-1].id, done + len(rows)


def score_rows(
    backend: Backend,
    scorer: Scorer,
    writer: Writer,
    types: Mapping[str, TaskType],
    rows: Sequence[Unscored],
) -> list[dict[str, float]]:
    """Return each row's scores by name; where it does not fit the context, agreement alone."""
    prompts = [
        writer.beginning(types[row.task], row.passage, row.completion.split(PIPE)[0])
        for row in rows
    ]
    agreed = _agreements(backend, rows, prompts)
    likely = list(scorer.score(_texts(writer, types, rows, prompts)))
    return [_scores(agreed[at], *likely[2 * at : 2 * at + 2]) for at in range(len(rows))]


def _agreements(backend: Backend, rows: Sequence[Unscored], prompts: Sequence[str]) -> list[float]:
    """How alike the responses drawn anew are to each row's, on average."""
    samples = tuple(Sample(at, at) for at in range(_AGAIN.n))
    longest = max(len(row.response) for row in rows)
    sampling = Sampling(_AGAIN.n, _AGAIN.temperature, _AGAIN.top_p, min(256, 16 + longest))
    requests = [Request(str(at), prompt, sampling, samples) for at, prompt in enumerate(prompts)]
    found: list[list[float]] = [[] for _ in rows]
    for done in backend.generate(requests):
        at = int(done.request_id)
        said = done.text.replace(CONTEXT, rows[at].passage).strip()
        found[at].append(alike(said, rows[at].response) if done.finish_reason != "failed" else 0.0)
    return [fmean(values) for values in found]


def alike(one: str, other: str) -> float:
    """F1 of the words that two texts have in common (Rajpurkar et al., 2016)."""
    first, second = words(one), words(other)
    if not first or not second:
        return float(first == second)
    both = sum((Counter(first) & Counter(second)).values())
    return 2 * both / (len(first) + len(second))


def _texts(
    writer: Writer,
    types: Mapping[str, TaskType],
    rows: Sequence[Unscored],
    prompts: Sequence[str],
) -> Iterator[tuple[str, str]]:
    """Two for each row: its response after prompt and instruction, and without the passage."""
    for row, prompt in zip(rows, prompts, strict=True):
        yield prompt, row.response
        instruction = without_passage(row.completion.split(PIPE)[0], row.passage)
        yield writer.beginning(types[row.task], "", f"{instruction}\n"), row.response


def _scores(
    agreement: float, with_it: Likelihood | None, without: Likelihood | None
) -> dict[str, float]:
    found = {"agreement": agreement}
    if with_it is not None:
        found["support"] = with_it.mean
        if without is not None:
            found["gain"] = with_it.mean - without.mean
    return found
