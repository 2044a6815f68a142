"""The main job, from what a user asks for to a dataset: what every front end calls."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bonito_local import __version__
from bonito_local.backends.base import Backend
from bonito_local.checks.evaluation import read_evaluation
from bonito_local.errors import (
    BackendError,
    BonitoError,
    JobError,
    OtherSettingsError,
    UsageError,
)
from bonito_local.jobs.elsewhere import check_elsewhere, compare
from bonito_local.jobs.engine import Model, check_engine, engine_plan, open_engine, settle
from bonito_local.jobs.exchange import Verifier
from bonito_local.jobs.exporting import write_outputs
from bonito_local.jobs.folder import open_job
from bonito_local.jobs.generation import Generation, as_json
from bonito_local.jobs.guided import check_labels
from bonito_local.jobs.journal import Ended
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.ledger import Ledger
from bonito_local.jobs.output import keep_air_gap
from bonito_local.jobs.planning import read_documents
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.prompts import BONITO, check_reasons, is_base, longest_passage, writer_of
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.selection import select_by, selection
from bonito_local.jobs.spec import JobSpec, check_sampling, drawing
from bonito_local.jobs.store import Store
from bonito_local.jobs.turns import turn
from bonito_local.jobs.unanswerable import add_unanswerable, check_share
from bonito_local.jobs.verifying import find_verifier, open_verifier
from bonito_local.jobs.watch import Watch
from bonito_local.models.fit import metadata, origin, untrained_tasks
from bonito_local.passages.discover import check_paths
from bonito_local.passages.ocr import check_ocr
from bonito_local.passages.reader import check_lengths
from bonito_local.passages.types import Problem
from bonito_local.writing.promptset import PromptSet, read_prompts
from bonito_local.writing.writer import Writer


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended: the job's ledger, its dataset's rows, the documents left out."""

    ledger: Ledger
    rows: int
    problems: list[Problem]
    ended: Ended = "finished"

    @property
    def stopped(self) -> bool:
        """Whether the user ended it early."""
        return self.ended != "finished"


@dataclass(frozen=True, slots=True)
class Front:
    """What a front end lends to a run.

    `notify` and `warn` are told, `stop` and `interrupt` end it: the one is asked, the other
    called from a thread when a wish to end it comes from another process. `abandon` is told,
    in a thread, why the process ends in this moment: its engine hangs. `again` looks for new
    documents, else only what is planned already is generated, if planning was done.
    """

    notify: Notify = lambda _: None
    warn: Callable[[str], None] = lambda _: None
    stop: Stop = lambda: False
    interrupt: Callable[[], None] = lambda: None
    abandon: Callable[[str], None] = lambda _: None
    again: bool = True
    detached: bool = False


def generate(wanted: Generation, front: Front | None = None) -> Summary:
    """Run a job in `wanted.output`, or go on with the one there, and write its dataset.

    A KeyboardInterrupt while generating, like `front.stop()` turning true, ends the run
    with everything kept that had finished.

    Raises:
        BonitoError: nothing could be done, or the run broke off; what had finished is kept.
    """
    front = front or Front()
    wanted, _ = settle(wanted)
    model = _check(wanted, front.again)
    with open_job(wanted.output) as store:
        if store.load("request") is None:
            store.save("request", as_json(wanted))
        run = store.begin_run(wanted.backend, front.detached)
        if wanted.cluster.kind:
            store.save("cluster", str(wanted.cluster))
        versions = store.load("versions") or []
        store.save("versions", list(dict.fromkeys([*versions, __version__])))
        try:
            summary = _run(store, wanted, model, front)
        except OtherSettingsError:
            store.drop_run(run)
            raise
        except BaseException as error:
            told = _told(error)
            # Where the disk is full not even this can be kept; the user is told all the same.
            with suppress(JobError):
                _note(store, run, told)
            if told is error:
                raise
            raise told from error
        store.end_run(run, summary.ended)
        return summary


def _told(error: BaseException) -> BaseException:
    """What to tell of an error: where memory ran out, what can be done."""
    # A library that is loaded only then says it in its own way.
    unmapped = isinstance(error, ImportError) and "failed to map segment" in str(error)
    if not unmapped and not isinstance(error, MemoryError):
        return error
    return JobError(
        "Memory ran out.",
        "Close other programs, or use a smaller model, and run the same command again: "
        "what had finished is kept.",
    )


def prepare(wanted: Generation) -> None:
    """Check `wanted` and leave it in its output, for a worker to take up.

    Raises:
        BonitoError: it cannot be done; nothing has changed.
    """
    wanted, _ = settle(wanted)
    _check(wanted, again=True)
    with open_job(wanted.output) as store:
        store.check({"backend": wanted.backend, **drawing(wanted.sampling)})
        store.save("request", as_json(wanted))


def _check(wanted: Generation, again: bool) -> Model:
    check_sampling(wanted.sampling)
    check_labels(wanted.tasks, wanted.labels)
    check_ocr(wanted.ocr)
    if again:
        check_paths(wanted.paths)
    check_elsewhere(wanted)
    find_verifier(wanted.verifier)
    check_share(wanted.unanswerable, wanted.tasks)
    _check_reasoning(wanted)
    return check_engine(wanted)


def _check_reasoning(wanted: Generation) -> None:
    if not wanted.verifier:
        check_reasons(wanted.prompt, wanted.reasoning)
    if wanted.reasoning and wanted.checks.round_trip is False:
        raise UsageError(
            "Reasoning comes with the second reading of a row, which round_trip turns off.",
            "Leave round_trip out, or reasoning.",
        )


def _note(store: Store, run: int, error: BaseException) -> None:
    if isinstance(error, BonitoError):
        store.end_run(run, "failed", error.title, error.remedy)
    elif isinstance(error, KeyboardInterrupt):
        store.end_run(run, "stopped")
    else:
        store.end_run(run, "failed", type(error).__name__)


def _run(store: Store, wanted: Generation, model: Model, front: Front) -> Summary:
    with Watch(store, front.interrupt, front.stop, front.abandon) as watch:

        def notify(progress: Progress) -> None:
            watch.notify(progress)
            front.notify(progress)

        def stop() -> bool:
            return watch.stop() or front.stop()

        stopped = False
        with turn(wanted.output, wanted.backend, wanted.priority, notify, front.warn, stop):
            if stop():
                return Summary(store.ledger(), 0, store.problems(), watch.ending)
            plan = engine_plan(
                wanted,
                model,
                notify=lambda text: notify(Progress("measuring this machine", note=text)),
                stop=stop,
            )
            with (
                closing(open_engine(wanted, model, plan)) as backend,
                open_verifier(wanted.verifier, plan, reasoning=wanted.reasoning) as verifier,
            ):
                prompts = read_prompts(Path(wanted.prompts) if wanted.prompts else None)
                own = wanted.reasoning and not verifier
                writer = writer_of(wanted.prompt, metadata(backend), prompts, reasoning=own)
                if wanted.unanswerable and writer is BONITO and not verifier:
                    raise UsageError(
                        "A Bonito model does not say that a question has no answer.",
                        "Name a second model with --verifier, or leave --unanswerable out.",
                    )
                spec = _spec(backend, wanted, model, writer, prompts)
                if verifier:
                    spec = replace(spec, verifier_sha256=verifier.sha256)
                _warn_of_tasks(backend, spec, front)
                store.bind(spec.settings())
                keep_air_gap(store)
                store.save("model", origin(backend))
                store.save("request", as_json(wanted))
                select_by(store, replace(selection(store), balance=wanted.balance))
                evaluation = read_evaluation(wanted.evaluation, wanted.checks.evaluation_words)
                compare(store, wanted, evaluation)
                checks = spec.checks
                if verifier and checks.round_trip is None:
                    checks = replace(checks, round_trip=True)
                judge = Judge(checks.settled(spec.instruct), spec.labels, evaluation)
                passages = None
                if front.again or not store.load("planned"):
                    check_lengths(spec.lengths)
                    passages = read_documents(
                        store, wanted.paths, backend.count_tokens, spec, wanted.reading
                    )
                try:
                    run_job(
                        store,
                        backend,
                        spec,
                        passages,
                        notify,
                        stop,
                        wanted.reading,
                        judge,
                        writer,
                        verifier.verifier if verifier else None,
                    )
                    if not stop():
                        reader = verifier.verifier if verifier else Verifier(backend, writer)
                        share = wanted.unanswerable
                        add_unanswerable(store, reader, spec, share, judge, notify, stop)
                except KeyboardInterrupt:
                    stopped = True
                except BackendError as error:
                    notify(Progress("writing"))
                    kept = write_outputs(store, wanted.output, wanted.exports)[0].total
                    raise BackendError(
                        error.title,
                        f"{error.remedy} {kept} rows are in {wanted.output}: "
                        "the same command goes on.",
                    ) from error
        stopped = stopped or stop()
        ended = watch.ending if stopped else "finished"
        ledger = store.ledger()
        notify(Progress("writing", done=ledger.planned - ledger.pending, planned=ledger.planned))
        written = write_outputs(store, wanted.output, wanted.exports, front.warn)
        return Summary(ledger, written[0].total, store.problems(), ended)


def _spec(
    backend: Backend, wanted: Generation, model: Model, writer: Writer, prompts: PromptSet
) -> JobSpec:
    return JobSpec(
        tasks=wanted.tasks,
        sampling=wanted.sampling,
        model=model.file.name,
        model_sha256=model.file.sha256,
        backend=wanted.backend,
        passage_tokens=longest_passage(backend, wanted, writer),
        target_tokens=wanted.target_tokens,
        overlap_tokens=wanted.overlap_tokens,
        keep_repeats=wanted.keep_repeats,
        limit=wanted.limit,
        guided=wanted.guided,
        labels=wanted.labels,
        checks=wanted.checks,
        engine=wanted.engine,
        adapter_sha256=model.adapter_sha256,
        instruct=writer is not BONITO,
        prompts_sha256=prompts.sha256,
        cover=wanted.cover,
        reasoning=wanted.reasoning,
    )


def _warn_of_tasks(backend: Backend, spec: JobSpec, front: Front) -> None:
    untrained = ", ".join(task.short for task in untrained_tasks(backend, spec.tasks))
    if untrained:
        front.warn(f"{spec.model} was not trained on {untrained}: expect few or poor rows.")
    if spec.instruct and is_base(metadata(backend)):
        front.warn(
            f"{spec.model} was trained neither to follow instructions nor as a Bonito: it is shown "
            "examples in plain text, and writes fewer right rows than an instruct model. For one "
            "that knows Bonito's prompt use --prompt bonito."
        )
