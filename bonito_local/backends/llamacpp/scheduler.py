"""What the next step computes: admission, prefill in chunks, sequence slots.

Pure bookkeeping, without an engine. A prompt of P tokens has its first P-1 put in the KV
cache once, in chunks (the prefix); each of its samples then starts from the last one. A
sample beyond the first shares the prefix's cells, in a slot of its own or in the slot of
a sample that has ended. So a prompt takes P-1 cells, and each live sample as many more as
it may draw tokens: what is admitted always fits.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Request, Sample


@dataclass(eq=False, slots=True)
class Prompt:
    """A request's tokens (int32), and the samples, of at most `limit` tokens each, to draw."""

    request: Request
    tokens: npt.NDArray[np.int32]
    limit: int
    samples: deque[Sample]
    live: list[Sequence] = field(default_factory=list)

    @property
    def prefix(self) -> int:
        """Number of tokens shared by the samples."""
        return len(self.tokens) - 1


@dataclass(eq=False, slots=True)
class Sequence:
    """A live sample: its slot, and how many of its tokens are in the KV cache."""

    slot: int
    prompt: Prompt
    sample: Sample
    cached: int = 0

    @property
    def ready(self) -> bool:
        """Whether its next token is one to sample from."""
        return self.cached >= self.prompt.prefix


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next `count` tokens of a sequence's prefix."""

    sequence: Sequence
    count: int


@dataclass(frozen=True, slots=True)
class Step:
    """Sequences to draw a token for, and what to add to the prefixes of others."""

    draws: list[Sequence]
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Fork:
    """A new sequence whose prefix is to be shared with `source`'s."""

    source: Sequence
    sequence: Sequence


class Scheduler:
    """Keeps `slots` sequences within `cells` KV cells, and prefill within `budget` a step."""

    def __init__(self, slots: int, cells: int, budget: int) -> None:
        self.cells = cells
        self.budget = budget
        self.live: list[Sequence] = []
        self._prompts: list[Prompt] = []
        self._free = list(range(slots - 1, -1, -1))

    @property
    def used(self) -> int:
        """Cells held by admitted prompts and live samples."""
        return sum(p.prefix + len(p.live) * p.limit for p in self._prompts)

    @property
    def full(self) -> bool:
        """Whether no slot is free."""
        return not self._free

    def admit(self, prompt: Prompt) -> bool:
        """Give the prompt's first sample a slot, if slots and cells allow."""
        if self.full or self.used + prompt.prefix + prompt.limit > self.cells:
            return False
        self._prompts.append(prompt)
        self._start(prompt)
        return True

    def forks(self) -> list[Fork]:
        """Start waiting samples of prompts whose prefix is cached, while there is room."""
        started = []
        for prompt in self._prompts:
            if not prompt.samples or not (source := prompt.live[0]).ready:
                continue
            while prompt.samples and not self.full and self.used + prompt.limit <= self.cells:
                started.append(Fork(source, self._start(prompt, prompt.prefix)))
        return started

    def plan(self) -> Step:
        """Draw for every ready sequence, and fill the prefixes of others, oldest first.

        Few sequences decode slowly, so drawing waits until half of the live are ready:
        for as long as it takes to fill the slots, at most.
        """
        ready = [s for s in self.live if s.ready]
        chunks, room = [], self.budget
        for sequence in self.live:
            if room and not sequence.ready:
                count = min(room, sequence.prompt.prefix - sequence.cached)
                chunks.append(Chunk(sequence, count))
                room -= count
        return Step(ready if 2 * len(ready) >= len(self.live) else [], chunks)

    def finish(self, sequence: Sequence) -> bool:
        """End a sample. True if its slot goes on with the prompt's next sample.

        The caller then cuts the slot's cells back to the prefix; else it frees them all.
        """
        prompt = sequence.prompt
        if prompt.samples:
            sequence.sample = prompt.samples.popleft()
            sequence.cached = prompt.prefix
            return True
        self._release(sequence)
        return False

    def preempt(self) -> tuple[Prompt, list[Sequence]]:
        """End the youngest prompt's sequences; those are to be freed.

        Their samples wait again, in the prompt. Of an only prompt, one sequence goes on,
        unless it is the only one.
        """
        prompt = self._prompts[-1]
        keep = len(self._prompts) == 1 and len(prompt.live) > 1
        ended = prompt.live[keep:]
        for sequence in reversed(ended):
            prompt.samples.appendleft(sequence.sample)
            self._release(sequence)
        return prompt, ended

    def _start(self, prompt: Prompt, cached: int = 0) -> Sequence:
        sequence = Sequence(self._free.pop(), prompt, prompt.samples.popleft(), cached)
        prompt.live.append(sequence)
        self.live.append(sequence)
        return sequence

    def _release(self, sequence: Sequence) -> None:
        prompt = sequence.prompt
        prompt.live.remove(sequence)
        self.live.remove(sequence)
        self._free.append(sequence.slot)
        if not prompt.live:
            self._prompts.remove(prompt)
