"""What the next step computes: sequence slots, prefill in chunks, samples of one prompt.

Pure bookkeeping, without an engine. A prompt of P tokens has its first P-1 put in the KV
cache once, in chunks (the prefix); each of its samples then starts from the last one. A
sample beyond the first takes a copy of the prefix to a slot of its own, or goes on from
the prefix in the slot of a sample that has ended. A slot keeps its cells until the next
prompt comes, and what both begin with (the task type, say) is not computed again. A prompt
that begins like one that is live takes a copy of those cells, and waits until they are filled.

llama.cpp computes slots together only where they are neighbours, and many at once are far
cheaper than few. So free slots are filled before anything is drawn, and what is live moves
down into slots that stay free at the end of a run.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Request, Sample

_WORTH_A_COPY = 32  # tokens


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

    @property
    def need(self) -> int:
        """The most tokens of a sequence."""
        return len(self.tokens) + self.limit


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
    """Sequences to draw a token for, by slot, or what to add to prefixes first."""

    draws: list[Sequence]
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Move:
    """A sequence whose cells are to be copied from the slot `source` to its new one."""

    source: int
    sequence: Sequence


@dataclass(frozen=True, slots=True)
class Fork:
    """A new sequence whose first `cached` cells are to be copied from `source`."""

    source: Sequence
    sequence: Sequence


@dataclass(frozen=True, slots=True)
class Admission:
    """A prompt's first sequence, and whose cells it copies (None: those of its own slot)."""

    sequence: Sequence
    source: Sequence | None = None


class Scheduler:
    """Keeps up to `slots` sequences, and prefill to about `budget` tokens a step.

    With one slot nothing is kept from prompt to prompt: a completion then depends on its
    request alone, bit for bit.
    """

    def __init__(self, slots: int, budget: int) -> None:
        self.budget = budget
        self._keeps = slots > 1
        self._held: dict[int, npt.NDArray[np.int32]] = {}
        self.live: list[Sequence] = []
        self._prompts: list[Prompt] = []
        self._free = list(range(slots))

    @property
    def free(self) -> int:
        """Number of free slots."""
        return len(self._free)

    def admit(self, prompt: Prompt) -> Admission | None:
        """Start the prompt's first sample where most of it is computed; a slot must be free.

        Returns None where it has to wait: the cells that it shares with a live sequence are
        not filled yet. The caller cuts the slot's cells back to the `cached` of the sequence,
        or copies those of the source.
        """
        kept = {slot: self._shared(self._held.get(slot), prompt) for slot in self._free}
        slot = max(self._free, key=lambda slot: (kept[slot], -slot))
        source, shared = self._source(prompt)
        if source is None or shared < kept[slot] + _WORTH_A_COPY:
            self._prompts.append(prompt)
            return Admission(self._start(prompt, slot, kept[slot]))
        if source.cached < shared:
            return None
        slot = min(self._free, key=lambda slot: (kept[slot], slot))
        self._prompts.append(prompt)
        return Admission(self._start(prompt, slot, shared), source)

    def forks(self) -> list[Fork]:
        """Start waiting samples of prompts whose prefix is cached, while slots are free."""
        started = []
        for prompt in self._prompts:
            source = prompt.live[0]
            while source.ready and prompt.samples and self._free:
                started.append(Fork(source, self._start(prompt, min(self._free), prompt.prefix)))
        return started

    def moves(self) -> list[Move]:
        """Close the gaps between live slots; the caller has admitted all that it can."""
        moves = []
        for sequence in sorted(self.live, key=lambda s: -s.slot):
            if not self._free or min(self._free) > sequence.slot:
                break
            source, target = sequence.slot, min(self._free)
            self._free.remove(target)
            self._free.append(source)
            self._held.pop(target, None)
            sequence.slot = target
            moves.append(Move(source, sequence))
        return moves

    def plan(self) -> Step:
        """Fill the prefixes of live sequences, oldest first, and then draw for all of them.

        How a prefix is cut into chunks depends on its length alone, and so does the rounding
        of what is computed.
        """
        chunks, room = [], self.budget
        for sequence in self.live:
            if room > 0 and not sequence.ready:
                count = min(self.budget, sequence.prompt.prefix - sequence.cached)
                chunks.append(Chunk(sequence, count))
                room -= count
        return Step([] if chunks else sorted(self.live, key=lambda s: s.slot), chunks)

    def finish(self, sequence: Sequence) -> bool:
        """End a sample. True if its slot goes on with the prompt's next sample.

        The caller then cuts the slot's cells back to the prefix.
        """
        prompt = sequence.prompt
        if prompt.samples:
            sequence.sample = prompt.samples.popleft()
            sequence.cached = prompt.prefix
            return True
        prompt.live.remove(sequence)
        self.live.remove(sequence)
        self._free.append(sequence.slot)
        if self._keeps:
            self._held[sequence.slot] = prompt.tokens[:-1]
        if not prompt.live:
            self._prompts.remove(prompt)
        return False

    def _source(self, prompt: Prompt) -> tuple[Sequence | None, int]:
        """The live sequence that shares most of the prompt, and how many tokens that is."""
        if not self._keeps or not self.live:
            return None, 0
        shared = [self._shared(s.prompt.tokens[:-1], prompt) for s in self.live]
        best = max(range(len(shared)), key=lambda at: (shared[at], self.live[at].ready))
        return self.live[best], shared[best]

    @staticmethod
    def _shared(held: npt.NDArray[np.int32] | None, prompt: Prompt) -> int:
        """How many of the tokens that are held the prompt begins with."""
        if held is None:
            return 0
        length = min(len(held), prompt.prefix)
        other = np.flatnonzero(held[:length] != prompt.tokens[:length])
        return int(other[0]) if len(other) else length

    def _start(self, prompt: Prompt, slot: int, cached: int) -> Sequence:
        # Lower slots are taken first: llama.cpp batches neighbours.
        self._free.remove(slot)
        self._held.pop(slot, None)
        sequence = Sequence(slot, prompt, prompt.samples.popleft(), cached)
        prompt.live.append(sequence)
        self.live.append(sequence)
        return sequence
