"""What is asked of the engines, and what follows from their answers: rows, checks, new attempts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby

from bonito_local.backends.base import Backend, Completion, Lines, Request, Sample, Sampling, Shape
from bonito_local.backends.likelihood import Scorer
from bonito_local.backends.registry import holds_lines
from bonito_local.errors import BackendError
from bonito_local.jobs.guided import shape_of
from bonito_local.jobs.judging import Judge
from bonito_local.jobs.progress import Stop
from bonito_local.jobs.seeds import sample_seed
from bonito_local.jobs.spec import JobSpec
from bonito_local.jobs.store import Attempt, Pending, Result
from bonito_local.tasks import TaskType
from bonito_local.writing.bonito import BonitoWriter
from bonito_local.writing.claims import agrees
from bonito_local.writing.reasoning import TOKENS, Reading, kept, read
from bonito_local.writing.thinking import answer_of
from bonito_local.writing.writer import Ask, Assignment, Claim, Writer

NOT_REPRODUCED = "the answer is not reproduced"
_ANSWER_TOKENS = 48
REASONED_TOKENS = TOKENS + _ANSWER_TOKENS


@dataclass(frozen=True, slots=True)
class Verifier:
    """A second model that rows are checked by."""

    backend: Backend
    writer: Writer


@dataclass(frozen=True)
class Manner:
    """What is the same for all samples of a job.

    `types` are the task types by short name. Without a `verifier` the model checks its own rows.
    """

    spec: JobSpec
    types: Mapping[str, TaskType]
    judge: Judge
    writer: Writer
    verifier: Verifier | None = None

    @cached_property
    def holds(self) -> bool:
        """Whether the engine holds completions to their shape."""
        return holds_lines(self.spec.backend)

    @cached_property
    def turns(self) -> dict[str, int]:
        """Each task type's place."""
        return {task.short: turn for turn, task in enumerate(self.spec.tasks)}

    def sampling(self, ask: Ask, n: int) -> Sampling:
        """How completions are drawn."""
        usual = self.spec.sampling
        return replace(_drawn(usual, ask), n=n, stop=usual.stop + ask.stop)

    def shape(self, ask: Ask, task: TaskType, passage: str) -> Lines | Shape | None:
        """What a completion is held to: its lines, or for Bonito's prompt what `guided` asks."""
        if self.spec.guided and isinstance(self.writer, BonitoWriter):
            return shape_of(task, passage, self.spec.labels)
        return ask.shape if self.holds else None


@dataclass(frozen=True, slots=True)
class _Checked:
    """A row whose answer is asked for again, what it claims, and whether it is to be reasoned."""

    result: Result
    claim: Claim
    reasons: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request with an engine.

    `samples` maps the indices of samples still to come to their ids in the store, of `count`;
    `checked` is the row whose answer is asked for again.
    """

    assignment: Assignment
    pending: Pending
    samples: dict[int, int]
    count: int = 1
    earlier: tuple[Attempt, ...] = ()
    checked: _Checked | None = None

    def about(self, sample: int) -> Assignment:
        """What one of its samples is to be about."""
        return replace(self.assignment, sample=sample)


@dataclass(slots=True)
class Exchange:
    """Requests as the engine pulls them: what follows from a completion, then what is planned.

    It may have more after it had none: a row that came is checked, or written anew.

    Attributes:
        checks: requests for the verifier, where there is one.
        unasked: ends of samples that no engine is asked for, as no row can come of them.
        scorer: tells how likely the model finds a text; None where its engine cannot, while it
            writes.
    """

    manner: Manner
    planned: Iterator[Request] = field(default_factory=lambda: iter(()))
    most: int = 0
    stop: Stop = lambda: False
    checks: deque[Request] = field(default_factory=deque)
    following: deque[Request] = field(default_factory=deque)
    unasked: deque[Completion] = field(default_factory=deque)
    scorer: Scorer | None = None
    _asked: dict[str, _Asked] = field(default_factory=dict)

    def plan(self, pending: Iterable[Pending], count: int) -> None:
        """Ask for `count` samples, those of a passage and task type one after the other."""
        self.planned = self._requests(pending)
        self.most = count

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self.following and not self.stop():
            return self.following.popleft()
        return next(self.planned)

    def __length_hint__(self) -> int:
        """The most that there can be: a cluster sizes its blocks by it."""
        return self.most

    @property
    def open(self) -> int:
        """Number of requests that are not answered."""
        return len(self._asked)

    def take(self, completion: Completion) -> tuple[bool, Result, bool]:
        """Judge one completion, and ask on where more has to be known.

        Returns whether it is its request's first, how the row stands, and whether it stays so.

        Raises:
            BackendError: it was not asked for.
        """
        entry = self._asked.get(completion.request_id)
        key = entry.samples.pop(completion.sample, None) if entry else None
        if entry is None or key is None:
            raise BackendError(
                f"The engine answered {completion.request_id!r} sample {completion.sample}, "
                "which was not asked.",
                "This is a fault of the engine; what had finished is kept.",
            )
        first = len(entry.samples) == entry.count - 1
        if not entry.samples:
            del self._asked[completion.request_id]
        unfit = self._unfit(entry, completion.sample)
        if unfit:
            return first, Result(key, "rejected", unfit), True
        if entry.checked:
            if self._check_plainly(entry, completion):
                return first, entry.checked.result, False
            result = self._verdict(entry, entry.checked, completion)
        else:
            result = self._unlikely(entry, completion, self._judge(entry, key, completion))
            if result.outcome == "accepted" and self._check(entry, completion, result):
                return first, result, False
        retries = self.manner.judge.thresholds.retries or 0
        if result.outcome in ("unparseable", "rejected") and len(entry.earlier) < retries:
            self._write_anew(entry, key, completion.sample, result)
            return first, result, False
        return first, replace(result, earlier=entry.earlier), True

    def _requests(self, pending: Iterable[Pending]) -> Iterator[Request]:
        """Yield requests for samples, one for those of a passage and task type that share it."""
        for _, group in groupby(pending, key=lambda p: (p.passage, p.task)):
            samples = list(group)
            shared = self.manner.writer.shared(self.manner.types[samples[0].task])
            for some in [samples] if shared else [[sample] for sample in samples]:
                if self.stop():
                    return
                request = self._request(some)
                if self._unfit(self._asked[request.id], some[0].sample):
                    self.unasked += (_empty(request, sample) for sample in request.samples)
                else:
                    yield request

    def _request(self, samples: list[Pending], earlier: tuple[Attempt, ...] = ()) -> Request:
        """Ask for samples that have one prompt."""
        manner, first = self.manner, samples[0]
        spec, task = manner.spec, manner.types[first.task]
        # An earlier run may have planned more samples than this one asks for.
        n = max(spec.rows(first.text), samples[-1].sample + 1)
        turn = manner.turns.get(first.task, 0)
        assignment = Assignment(task, first.text, first.place, first.sample, n, turn, first.attempt)
        ask = manner.writer.ask(assignment)
        alone = f"/{first.sample}/{first.attempt}"
        if not earlier and manner.writer.shared(task):
            alone = ""
        request = Request(
            id=f"{first.passage}/{first.task}{alone}",
            prompt=ask.prompt,
            sampling=manner.sampling(ask, n),
            samples=tuple(
                Sample(
                    s.sample, sample_seed(spec.sampling.seed, s.hash, s.task, s.sample, s.attempt)
                )
                for s in samples
            ),
            shape=manner.shape(ask, task, first.text),
        )
        keys = {s.sample: s.id for s in samples}
        self._asked[request.id] = _Asked(assignment, first, keys, len(keys), earlier)
        return request

    def _unfit(self, entry: _Asked, sample: int) -> str | None:
        return self.manner.writer.unfit(entry.about(sample))

    def _judge(self, entry: _Asked, key: int, completion: Completion) -> Result:
        """Judge a row by itself."""
        writer = self.manner.writer
        assignment = entry.about(completion.sample)
        written = writer.written(assignment, completion)
        result = self.manner.judge.result(
            key, assignment.task, assignment.passage, written, assignment.heading
        )
        if result.outcome == "accepted" and (why := writer.fault(assignment, completion)):
            result = replace(result, outcome="rejected", reason=why)
        sentence = writer.evidence(assignment)
        return replace(result, evidence=(sentence.start, sentence.end)) if sentence else result

    def _unlikely(self, entry: _Asked, completion: Completion, result: Result) -> Result:
        """Reject an accepted row that the model itself finds unlikely."""
        if self.scorer is None or result.outcome != "accepted":
            return result
        writer = self.manner.writer
        assignment = entry.about(completion.sample)
        found = list(self.scorer.score(writer.telling(assignment, completion)))
        whole = [one for one in found if one]
        why = writer.unlikely(whole) if whole and len(whole) == len(found) else None
        return replace(result, outcome="rejected", reason=why) if why else result

    def _check(self, entry: _Asked, completion: Completion, result: Result) -> bool:
        """Ask for a row's answer again; false where it cannot be, or need not."""
        if not self.manner.judge.thresholds.round_trip:
            return False
        assignment = entry.about(completion.sample)
        claim = self.manner.writer.claim(assignment, completion)
        ask = self._reader.reread(assignment, claim) if claim else None
        if claim is None or ask is None or (self._sure(claim) and not ask.reasons):
            return False
        name = f"{completion.request_id}/{completion.sample}/check"
        checked = _Checked(result, claim, ask.reasons)
        self._ask_again(name, ask, replace(entry, samples={completion.sample: result.id}), checked)
        return True

    def _check_plainly(self, entry: _Asked, completion: Completion) -> bool:
        """Ask for the answer alone where a reasoning was too long to come to one."""
        checked = entry.checked
        if not checked or not checked.reasons or self._sure(checked.claim):
            return False
        if completion.finish_reason != "length" or read(completion.text).answer:
            return False
        assignment = entry.about(completion.sample)
        ask = self._reader.reread(assignment, checked.claim, plainly=True)
        if ask is None:
            return False
        entry = replace(entry, samples={completion.sample: checked.result.id})
        name = f"{completion.request_id}/plainly"
        self._ask_again(name, ask, entry, replace(checked, reasons=False))
        return True

    def _ask_again(self, name: str, ask: Ask, entry: _Asked, checked: _Checked) -> None:
        manner, verifier = self.manner, self.manner.verifier
        request = Request(
            name,
            ask.prompt,
            rereading(manner.spec.sampling, ask),
            tuple(Sample(sample, 0) for sample in entry.samples),
            ask.shape if verifier or manner.holds else None,
        )
        self._asked[request.id] = replace(entry, count=1, checked=checked)
        (self.checks if verifier else self.following).append(request)

    def _verdict(self, entry: _Asked, checked: _Checked, again: Completion) -> Result:
        """Judge a row by what its question was answered the second time."""
        result, claim = checked.result, checked.claim
        if again.finish_reason == "failed":
            return result
        reading = answered(again, reasons=checked.reasons)
        if agrees(claim, reading.answer):
            reasoning = kept(reading.reasoning, claim, entry.assignment)
            return replace(result, reread=reading.answer, reasoning=reasoning)
        if self._sure(claim):
            return result
        return replace(result, outcome="rejected", reason=NOT_REPRODUCED, reread=reading.answer)

    @property
    def _reader(self) -> Writer:
        """How the model is asked that reads a row again."""
        return (self.manner.verifier or self.manner).writer

    def _sure(self, claim: Claim) -> bool:
        """Whether no answer speaks against a row.

        A model takes small changes of a sentence for true: of its own it knows better.
        """
        return claim.sure and not self.manner.verifier

    def _write_anew(self, entry: _Asked, key: int, sample: int, result: Result) -> None:
        pending = entry.pending
        attempt = Attempt(pending.attempt, result.outcome, result.reason, result.completion)
        again = replace(pending, id=key, sample=sample, attempt=pending.attempt + 1)
        self.following.append(self._request([again], (*entry.earlier, attempt)))


def rereading(usual: Sampling, ask: Ask) -> Sampling:
    """Return how the answer to a row's question is drawn: a short one."""
    most = REASONED_TOKENS if ask.reasons else _ANSWER_TOKENS
    return replace(_drawn(usual, ask), n=1, stop=ask.stop, max_tokens=most)


def answered(again: Completion, *, reasons: bool) -> Reading:
    """Return what a row's question was answered, and with which reasoning."""
    if reasons:
        return read(again.text)
    return Reading("", answer_of(again.text, "Answer:").strip())


def _empty(request: Request, sample: Sample) -> Completion:
    return Completion(request.id, sample.index, "", 0, 0, "stop")


def _drawn(usual: Sampling, ask: Ask) -> Sampling:
    return replace(usual, temperature=0.0) if ask.greedy else usual
