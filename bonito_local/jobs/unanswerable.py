"""Unanswerable rows: an accepted row's question, asked of a passage near by that has no answer.

They are made once the answerable rows are there. A model reads the other passage with the question;
only where it, too, says that there is no answer the row is accepted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bonito_local.backends.base import Completion, Request, Sample
from bonito_local.backends.registry import holds_lines
from bonito_local.bounds import check_range
from bonito_local.checks.answers import question_in
from bonito_local.checks.duplicates import pair_digest
from bonito_local.checks.sketch import sketch
from bonito_local.checks.text import content, numbers, without_passage
from bonito_local.errors import BackendError, UsageError
from bonito_local.jobs.borrowed import Answered, Borrowed
from bonito_local.jobs.exchange import Verifier, answered, rereading
from bonito_local.jobs.judging import CONTAMINATED, Judge
from bonito_local.jobs.progress import Notify, Progress, Stop
from bonito_local.jobs.recorder import Recorder
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Result, Store, place
from bonito_local.tasks import PIPE, Pair, TaskType, task_type
from bonito_local.writing.claims import NOT_STATED
from bonito_local.writing.reasoning import kept
from bonito_local.writing.writer import Assignment, Claim

ANSWERED = "the other passage may answer it"
LEFT_OUT = "its question was left out"
TASKS = ("exqa", "qa")  # of a yes-no question the answer is yes or no
_NOTHING = re.compile(rf"\W*{NOT_STATED}\W*", re.IGNORECASE)
_NOTIFY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A sample whose question was put to the reader, the row that it is of, and its texts."""

    sample: Borrowed
    row: Answered
    pair: Pair


def check_share(share: float, tasks: Sequence[TaskType]) -> None:
    """Raise UsageError for a share that cannot be, or where no task type has such rows."""
    check_range("unanswerable", share, 0, 1)
    if share and not any(task.short in TASKS for task in tasks):
        raise UsageError(
            "There are unanswerable rows of exqa and qa alone.",
            "Add one of these task types, or leave unanswerable out.",
        )


def choose(row: Answered, near: Sequence[tuple[int, str]]) -> int | None:
    """Return the number of the passage that is most about a row's question without its answer."""
    question = question_of(row)
    if row.passage not in row.instruction or not question.endswith("?"):
        return None
    about = content(question)
    shared = {
        number: len(about & content(text))
        for number, text in near
        if not tells(text, row.response, question)
    }
    best = max(shared, key=lambda number: shared[number], default=None)
    return best if best is not None and shared[best] else None


def tells(passage: str, answer: str, question: str) -> bool:
    """Whether a passage has a number of an answer, or more than half of its words.

    What the question says, too, is no sign of the answer, unless the answer says nothing else.
    """
    if (numbers(answer) - numbers(question)) & numbers(passage):
        return True
    said = (content(answer) - content(question)) or content(answer)
    return not said or 2 * len(said & content(passage)) > len(said)


def question_of(row: Answered) -> str:
    """Return the question of a row."""
    return question_in(without_passage(row.instruction, row.passage))


def add_unanswerable(
    store: Store,
    reader: Verifier,
    spec: JobSpec,
    share: float,
    judge: Judge,
    notify: Notify = lambda _: None,
    stop: Stop = lambda: False,
) -> None:
    """Plan unanswerable rows, `share` of the accepted ones, and ask for those without an outcome.

    Raises:
        BackendError: the engine failed; what had finished is kept.
    """
    tasks = [task.short for task in spec.tasks if task.short in TASKS]
    if share and tasks:
        store.plan_borrowed(tasks, share, choose, stop)
    if next(store.borrowed(), None) is None:
        return
    ledger, recorder, start = store.ledger(), Recorder(store), time.monotonic()
    done = ledger.planned - ledger.pending
    told = Progress("generating", store.passage_count(), 0, ledger.planned, done)
    asked: dict[str, _Waiting] = {}
    holds = holds_lines(reader.backend.name)

    def requests() -> Iterator[Request]:
        for sample in store.borrowed():
            if stop():
                return
            request, row = _request(sample, reader, spec, holds=holds), sample.row
            if request is None or row is None:
                recorder.put(Result(sample.id, "rejected", LEFT_OUT))
                continue
            instruction = row.instruction.replace(row.passage, sample.passage)
            asked[request.id] = _Waiting(sample, row, Pair(instruction, NOT_STATED))
            yield request

    try:
        for completion in reader.backend.generate(requests()):
            waiting = asked.pop(completion.request_id)
            recorder.put(_judged(waiting, completion, judge, reasons=spec.reasoning))
            if stop():
                break
            ends, seconds = recorder.ends, time.monotonic() - start
            if seconds - told.seconds >= _NOTIFY_SECONDS:
                accepted = ledger.accepted + ends["accepted"]
                told = replace(told, done=done + ends.total(), accepted=accepted, seconds=seconds)
                notify(told)
    finally:
        recorder.close()
    if asked and not stop():
        raise BackendError(
            f"The {reader.backend.name} engine ended without an answer to {len(asked)} requests.",
            "Run the same command again: it asks for these alone.",
        )


def _request(sample: Borrowed, reader: Verifier, spec: JobSpec, *, holds: bool) -> Request | None:
    """Ask a row's question of a sample's passage; None where it cannot be asked any more."""
    row = sample.row
    if row is None or row.passage not in row.instruction:
        return None
    ask = reader.writer.reread(*_claim(sample, row))
    if ask is None:
        return None
    drawing = rereading(spec.sampling, ask)
    shape = ask.shape if holds else None
    return Request(f"{sample.id}/unanswerable", ask.prompt, drawing, (Sample(0, 0),), shape)


def _claim(sample: Borrowed, row: Answered) -> tuple[Assignment, Claim]:
    """Return what a sample is about, and that its passage does not tell."""
    where = place(sample.source, sample.heading)
    assignment = Assignment(task_type(sample.task), sample.passage, where)
    return assignment, Claim("question", question_of(row), NOT_STATED)


def _judged(waiting: _Waiting, completion: Completion, judge: Judge, *, reasons: bool) -> Result:
    """Return how a sample ended, by what its question was answered."""
    sample, pair = waiting.sample, waiting.pair
    tokens = completion.prompt_tokens, completion.completion_tokens
    if completion.finish_reason == "failed":
        return Result(sample.id, "failed", completion.error, prompt_tokens=tokens[0])
    reading = answered(completion, reasons=reasons)
    answer = reading.answer
    said = pair.instruction, pair.response
    written = f"\n{PIPE}\n".join(said)
    result = Result(sample.id, "rejected", ANSWERED, written, *said, *tokens, reread=answer)
    if not _NOTHING.fullmatch(answer):
        return result
    if judge.evaluation and judge.evaluation.holds(pair, sample.passage):
        return replace(result, reason=CONTAMINATED)
    least = judge.thresholds.near_duplicate
    alike = sketch(pair, sample.passage, least) if least else None
    assignment, claim = _claim(sample, waiting.row)
    reasoning = kept(reading.reasoning, claim, assignment)
    result = replace(result, outcome="accepted", reason="", reasoning=reasoning)
    return replace(result, digest=pair_digest(pair), sketch=alike)
