"""Admission and step planning, without an engine."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.scheduler import Prompt, Scheduler, Sequence


def prompt(name: str, size: int, limit: int, n: int) -> Prompt:
    samples = tuple(Sample(i, i) for i in range(n))
    tokens = np.arange(size, dtype=np.int32)
    return Prompt(Request(name, "", Sampling(), samples), tokens, limit, deque(samples))


def step(scheduler: Scheduler) -> tuple[list[int], list[tuple[int, int]]]:
    """Do what an engine does with a plan; returns slots drawn, and (slot, tokens) filled."""
    scheduler.forks()
    plan = scheduler.plan()
    for sequence in plan.draws:
        sequence.cached += 1
    for chunk in plan.chunks:
        chunk.sequence.cached += chunk.count
    return [s.slot for s in plan.draws], [(c.sequence.slot, c.count) for c in plan.chunks]


def test_prefill_in_chunks_beside_decoding() -> None:
    scheduler = Scheduler(slots=4, cells=1000, budget=32)
    assert scheduler.admit(prompt("a", 11, 5, 1))
    assert step(scheduler) == ([], [(0, 10)])
    assert scheduler.admit(prompt("b", 51, 5, 1))
    assert step(scheduler) == ([0], [(1, 32)])
    assert scheduler.admit(prompt("c", 21, 5, 1))
    assert step(scheduler) == ([], [(1, 18), (2, 14)])  # one of three is too few to draw for
    assert step(scheduler) == ([0, 1], [(2, 6)])
    assert step(scheduler) == ([0, 1, 2], [])


def test_admission_by_cells_and_slots() -> None:
    scheduler = Scheduler(slots=2, cells=100, budget=32)
    assert scheduler.admit(prompt("a", 41, 20, 3))
    assert scheduler.used == 60
    assert not scheduler.admit(prompt("b", 41, 20, 1))
    assert scheduler.admit(prompt("b", 21, 20, 1))
    assert scheduler.used == 100
    assert scheduler.full
    assert not scheduler.admit(prompt("c", 1, 1, 1))


def test_samples_share_the_prefix_and_go_before_new_prompts() -> None:
    scheduler = Scheduler(slots=3, cells=90, budget=64)
    first = prompt("a", 41, 20, 4)
    assert scheduler.admit(first)
    assert scheduler.forks() == []  # nothing to share yet
    step(scheduler)
    (fork,) = scheduler.forks()  # cells for two samples beside the prefix, not three
    assert (fork.source.slot, fork.sequence.slot, fork.sequence.cached) == (0, 1, 40)
    assert scheduler.used == 80
    assert scheduler.finish(fork.source)
    assert len(first.samples) == 1
    assert [s.sample.index for s in scheduler.live] == [2, 1]
    assert scheduler.finish(scheduler.live[1])
    assert [s.sample.index for s in scheduler.live] == [2, 3]
    assert not scheduler.finish(scheduler.live[0])
    assert not scheduler.finish(scheduler.live[0])
    assert (scheduler.live, scheduler.used) == ([], 0)


def test_preempt_gives_up_the_youngest() -> None:
    scheduler = Scheduler(slots=4, cells=1000, budget=64)
    old, young = prompt("old", 5, 9, 2), prompt("young", 5, 9, 2)
    scheduler.admit(old)
    step(scheduler)
    scheduler.admit(young)
    step(scheduler)
    assert [s.prompt.request.id for s in scheduler.live] == ["old", "young", "old"]
    given_up, ended = scheduler.preempt()
    assert (given_up, [s.slot for s in ended]) == (young, [1])
    assert [s.index for s in young.samples] == [0, 1]
    given_up, ended = scheduler.preempt()
    assert (given_up, [s.sample.index for s in ended]) == (old, [1])
    assert [s.index for s in old.samples] == [1]
    given_up, ended = scheduler.preempt()
    assert (given_up, len(ended)) == (old, 1)
    assert (scheduler.live, scheduler.used) == ([], 0)


@dataclass
class Cache:
    """A KV cache as sets: which tokens of which prompt each slot sees."""

    slots: dict[int, list[tuple[Prompt, int]]] = field(default_factory=dict)

    def cells(self, prefixes: dict[int, int]) -> int:
        own = sum(len(held) - prefixes[slot] for slot, held in self.slots.items())
        shared = {cell for slot, held in self.slots.items() for cell in held[: prefixes[slot]]}
        return own + len(shared)


@settings(deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 90), st.integers(1, 40), st.integers(1, 6)), max_size=25
    ),
    slots=st.integers(1, 6),
    lengths=st.randoms(use_true_random=False),
    preempts=st.sets(st.integers(0, 60)),
)
def test_every_sample_is_drawn_once_within_the_limits(
    sizes: list[tuple[int, int, int]], slots: int, lengths: object, preempts: set[int]
) -> None:
    """Random prompts, ends and preemptions, with a model of what the KV cache holds."""
    cells, budget = 140, 16
    scheduler, cache = Scheduler(slots, cells, budget), Cache()
    waiting = deque(prompt(str(i), *size) for i, size in enumerate(sizes))
    wanted = sorted((p.request.id, s.index) for p in waiting for s in p.samples)
    finished: list[tuple[str, int]] = []
    for turn in range(100_000):
        for fork in scheduler.forks():
            source = cache.slots[fork.source.slot]
            assert len(source) >= fork.sequence.prompt.prefix
            assert fork.sequence.slot not in cache.slots
            cache.slots[fork.sequence.slot] = source[: fork.sequence.prompt.prefix]
        while waiting and scheduler.admit(waiting[0]):
            slot = waiting.popleft().live[0].slot
            assert slot not in cache.slots
            cache.slots[slot] = []
        if not scheduler.live:
            break
        if turn in preempts:
            preempted, ended = scheduler.preempt()
            for sequence in ended:
                del cache.slots[sequence.slot]
            if not preempted.live:
                waiting.appendleft(preempted)
            continue
        plan = scheduler.plan()
        ready = [s for s in scheduler.live if s.ready]
        filled = sum(chunk.count for chunk in plan.chunks)
        if len(ready) < len(scheduler.live):
            assert 0 < filled <= budget
        # Neither starves: what waits to draw waits for prefill that ends.
        assert plan.draws == ready or (plan.draws == [] and len(ready) < slots / 2)
        for sequence, count in [(s, 1) for s in ready if plan.draws] + [
            (chunk.sequence, chunk.count) for chunk in plan.chunks
        ]:
            held = cache.slots[sequence.slot]
            assert len(held) == sequence.cached
            assert all(owner is sequence.prompt for owner, _ in held)
            held.extend((sequence.prompt, sequence.cached + i) for i in range(count))
            sequence.cached += count
            if sequence in ready and ends(sequence, lengths):
                finished.append((sequence.prompt.request.id, sequence.sample.index))
                if scheduler.finish(sequence):
                    del held[sequence.prompt.prefix :]
                else:
                    del cache.slots[sequence.slot]
        prefixes = {s.slot: min(s.cached, s.prompt.prefix) for s in scheduler.live}
        assert cache.cells(prefixes) <= scheduler.used <= cells
        assert len(scheduler.live) <= slots
    assert sorted(finished) == wanted
    assert scheduler.used == 0


def ends(sequence: Sequence, lengths: object) -> bool:
    drawn = sequence.cached - sequence.prompt.prefix
    return drawn == sequence.prompt.limit or lengths.random() < 0.1  # type: ignore[attr-defined]
