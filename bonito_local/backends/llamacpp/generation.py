"""One run of the step loop: pull, admit, decode, sample, yield what has ended.

A step decodes all sequences that draw in one batch, or each prefix that fills in its own:
llama.cpp splits a batch whose sequences differ in length.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from time import perf_counter

import numpy as np

from bonito_local.backends.base import Completion, FinishReason, Lines, Request, Shape, too_long
from bonito_local.backends.llamacpp.bindings import (
    Batch,
    first_error,
    forget_errors,
)
from bonito_local.backends.llamacpp.context import Context
from bonito_local.backends.llamacpp.draw import Draw
from bonito_local.backends.llamacpp.guide import Guide
from bonito_local.backends.llamacpp.lines import LinesGuide
from bonito_local.backends.llamacpp.lookup import Lookup
from bonito_local.backends.llamacpp.sampler import Sampler
from bonito_local.backends.llamacpp.scheduler import Chunk, Prompt, Scheduler, Sequence
from bonito_local.errors import BackendError


@dataclass(slots=True)
class Stats:
    """What an engine has done so far.

    `prefill_seconds` and `decode_seconds` are spent in forward passes, of prompts and of
    drawn tokens, `sample_seconds` in drawing from them, `seconds` in all. `prompt_tokens`
    were computed; those kept from another prompt are not counted. Of the `drafted` tokens
    `kept` were what was drawn.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    drafted: int = 0
    kept: int = 0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    sample_seconds: float = 0.0
    seconds: float = 0.0


class Generation:
    """Turns requests into completions with one context, which it leaves empty."""

    def __init__(self, context: Context, stats: Stats, requests: Iterable[Request]) -> None:
        self.context = context
        self.model = context.model
        self.stats = stats
        self.scheduler = Scheduler(context.n_seq, context.n_batch)
        self.settings = context.settings
        self.batch = Batch(context.n_batch)
        self._requests = iter(requests)
        self._waiting: deque[Prompt] = deque()
        self._draws: dict[int, Draw] = {}
        self._places = np.arange(context.limit, dtype=np.int32)

    def run(self) -> Iterator[Completion]:
        """Yield completions as they finish; frees every sequence however it ends."""
        resumed = perf_counter()
        try:
            while True:
                done = self._pull()
                self._admit()
                if self.scheduler.live:
                    done += self._step()
                elif not done:
                    return
                for completion in done:
                    self.stats.seconds += perf_counter() - resumed
                    yield completion
                    resumed = perf_counter()
        finally:
            self.stats.seconds += perf_counter() - resumed
            self._draws.clear()
            self.context.clear()

    def _pull(self) -> list[Completion]:
        """Queue a request for every free slot; returns failures as soon as there are any."""
        while len(self._waiting) < self.scheduler.free:
            request = next(self._requests, None)
            if request is None:
                break
            if failed := self._queue(request):
                return failed
        return []

    def _queue(self, request: Request) -> list[Completion]:
        tokens = self.model.prompt(request.prompt)
        room = self.context.limit - len(tokens)
        limit = min(request.sampling.max_tokens, room)
        if not len(tokens) or room < 1:
            return [
                too_long(request, sample.index, len(tokens), self.context.limit)
                for sample in request.samples
            ]
        if request.samples:
            self.model.end_at(request.sampling.stop)
            self._waiting.append(Prompt(request, tokens, limit, deque(request.samples)))
        return []

    def _admit(self) -> None:
        """Give slots to waiting samples, then to waiting requests; leave no gap between them."""
        for fork in self.scheduler.forks():
            prefix = fork.sequence.prompt.prefix
            self.context.copy(fork.source.slot, fork.sequence.slot, prefix)
            self._begin(fork.sequence)
        # Only an empty cache can be made larger: what is too long waits for that.
        if not self.scheduler.live and self.context.fit(
            max((p.need for p in self._waiting), default=0)
        ):
            self.scheduler = Scheduler(self.context.n_seq, self.context.n_batch)
            self.batch = Batch(self.context.n_batch)
        while (
            self._waiting and self.scheduler.free and self._waiting[0].need <= self.context.capacity
        ):
            admission = self.scheduler.admit(self._waiting[0])
            if admission is None:
                break
            self._waiting.popleft()
            sequence, source = admission.sequence, admission.source
            if source:
                self.context.copy(source.slot, sequence.slot, sequence.cached)
            else:
                self.context.remove(sequence.slot, sequence.cached)
            self._begin(sequence)
        for move in self.scheduler.moves():
            slot = move.sequence.slot
            self.context.copy(move.source, slot, move.sequence.cached)
            self.context.remove(move.source)
            self._draws[slot] = self._draws.pop(move.source)

    def _begin(self, sequence: Sequence) -> None:
        prompt = sequence.prompt
        shape, tokens = prompt.request.shape, prompt.tokens
        self._draws[sequence.slot] = Draw(
            Sampler(prompt.request.sampling, sequence.sample.seed),
            int(tokens[-1]),
            self._guide(shape, prompt.limit),
            Lookup(tokens.tolist()) if self.settings.draft else None,
        )

    def _guide(self, shape: Shape | Lines | None, limit: int) -> Guide | LinesGuide | None:
        if isinstance(shape, Lines):
            return LinesGuide(self.model.vocabulary, shape)
        return Guide(self.model.vocabulary, shape, limit) if shape else None

    def _step(self) -> list[Completion]:
        step = self.scheduler.plan()
        done: list[Completion] = []
        if step.draws:
            self.context.use_threads(self.settings.threads)
            self.stats.decode_seconds += self._decode(self._fill_draws(step.draws))
            started = perf_counter()
            done = self._draw(step.draws)
            self.stats.sample_seconds += perf_counter() - started
        for chunk in step.chunks:
            self.context.use_threads(self.settings.prefill_threads)
            self.stats.prefill_seconds += self._decode(self._fill_chunk(chunk))
            chunk.sequence.cached += chunk.count
            self.stats.prompt_tokens += chunk.count
        return done

    def _decode(self, n_tokens: int) -> float:
        """Run the batch's first tokens through the model; returns the seconds it took."""
        forget_errors()
        started = perf_counter()
        status = self.batch.decode(self.context.handle, n_tokens)
        if status:
            raise BackendError(
                f"llama.cpp failed to decode (status {status}): {first_error()}.",
                "If memory is short, use fewer sequences or a smaller context.",
            )
        return perf_counter() - started

    def _fill_draws(self, sequences: list[Sequence]) -> int:
        tokens: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        for sequence in sequences:
            draw = self._draws[sequence.slot]
            if draw.lookup:
                # The last token drawn is never drafted: no cell is free for what follows it.
                room = sequence.prompt.limit - draw.count - 1
                draw.draft = draw.lookup.propose(min(self.settings.draft, room))
            count = 1 + len(draw.draft)
            tokens += [draw.token, *draw.draft]
            positions += range(sequence.cached, sequence.cached + count)
            slots += [sequence.slot] * count
        batch, end = self.batch, len(tokens)
        batch.tokens[:end] = tokens
        batch.positions[:end] = positions
        batch.sequences[:end] = slots
        batch.outputs[:end] = 1
        return end

    def _fill_chunk(self, chunk: Chunk) -> int:
        batch, end = self.batch, chunk.count
        first, last = chunk.sequence.cached, chunk.sequence.cached + chunk.count
        batch.tokens[:end] = chunk.sequence.prompt.tokens[first:last]
        batch.positions[:end] = self._places[first:last]
        batch.sequences[:end] = chunk.sequence.slot
        batch.outputs[:end] = 0
        return end

    def _draw(self, sequences: list[Sequence]) -> list[Completion]:
        """Draw the next token of each, and go on for as long as its draft has it right."""
        widths = [1 + len(self._draws[sequence.slot].draft) for sequence in sequences]
        rows = [end - width for end, width in zip(accumulate(widths), widths, strict=True)]
        found = map(self._take_all, sequences, rows)
        return [completion for completion in found if completion]

    def _take_all(self, sequence: Sequence, row: int) -> Completion | None:
        draw = self._draws[sequence.slot]
        draft = draw.draft
        self.stats.drafted += len(draft)
        for place in range(1 + len(draft)):
            token = draw.pick(self.context.logits(row + place))
            sequence.cached += 1
            if completion := self._take(sequence, token):
                return completion
            if place == len(draft) or token != draft[place]:
                break
            self.stats.kept += 1
        if draft:
            self.context.remove(sequence.slot, sequence.cached)
        return None

    def _take(self, sequence: Sequence, token: int) -> Completion | None:
        self.stats.completion_tokens += 1
        draw, prompt = self._draws[sequence.slot], sequence.prompt
        draw.count += 1
        piece = self.model.piece(token)
        if piece is None or draw.add(token, piece, prompt.request.sampling.stop):
            return self._finish(sequence, "stop")
        if draw.count == prompt.limit:
            return self._finish(sequence, "length")
        return None

    def _finish(self, sequence: Sequence, reason: FinishReason) -> Completion:
        prompt, sample = sequence.prompt, sequence.sample
        draw = self._draws.pop(sequence.slot)
        if self.scheduler.finish(sequence):
            self.context.remove(sequence.slot, prompt.prefix)
            self._begin(sequence)
        text = draw.text.decode("utf-8", errors="replace")
        tokens = len(prompt.tokens)
        return Completion(prompt.request.id, sample.index, text, tokens, draw.count, reason)
