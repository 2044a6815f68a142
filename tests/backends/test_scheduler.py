"""Step planning, without an engine."""

from __future__ import annotations

from collections import deque
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.scheduler import Prompt, Scheduler, Sequence


def prompt(name: str, size: int, limit: int, n: int, head: int | None = None) -> Prompt:
    """A prompt whose first `head` tokens are those of any other, and no token beyond."""
    samples = tuple(Sample(i, i) for i in range(n))
    tokens = np.arange(size, dtype=np.int32)
    if head is not None:
        tokens[head:] += 1000 * (int(name) + 1)
    return Prompt(Request(name, "", Sampling(), samples), tokens, limit, deque(samples))


def admit(scheduler: Scheduler, waiting: Prompt) -> Sequence:
    """Start a prompt that has not to wait."""
    admission = scheduler.admit(waiting)
    assert admission is not None
    return admission.sequence


def step(scheduler: Scheduler) -> tuple[list[int], list[tuple[int, int]]]:
    """Do what an engine does with a plan; returns slots drawn, and (slot, tokens) filled."""
    scheduler.forks()
    plan = scheduler.plan()
    for sequence in plan.draws:
        sequence.cached += 1
    for chunk in plan.chunks:
        chunk.sequence.cached += chunk.count
    return [s.slot for s in plan.draws], [(c.sequence.slot, c.count) for c in plan.chunks]


def test_slots_are_filled_before_anything_is_drawn() -> None:
    scheduler = Scheduler(slots=4, budget=32)
    admit(scheduler, prompt("a", 11, 5, 1))
    assert step(scheduler) == ([], [(0, 10)])
    assert step(scheduler) == ([0], [])
    admit(scheduler, prompt("b", 71, 5, 1))
    admit(scheduler, prompt("c", 21, 5, 1))
    assert step(scheduler) == ([], [(1, 32)])
    assert step(scheduler) == ([], [(1, 32)])
    assert step(scheduler) == ([], [(1, 6), (2, 20)])
    assert step(scheduler) == ([0, 1, 2], [])


def test_a_prefix_is_cut_the_same_whatever_goes_before() -> None:
    scheduler = Scheduler(slots=4, budget=32)
    admit(scheduler, prompt("a", 21, 5, 1))
    admit(scheduler, prompt("b", 71, 5, 1))
    assert step(scheduler) == ([], [(0, 20), (1, 32)])
    assert step(scheduler) == ([], [(1, 32)])
    assert step(scheduler) == ([], [(1, 6)])


def test_gaps_are_closed_from_the_top() -> None:
    scheduler = Scheduler(slots=6, budget=64)
    live = [admit(scheduler, prompt(str(i), 5, 5, 1)) for i in range(5)]
    step(scheduler)
    assert scheduler.moves() == []  # slot 5 is free, above all
    scheduler.finish(live[1])
    scheduler.finish(live[2])
    assert [(m.source, m.sequence.slot) for m in scheduler.moves()] == [(4, 1), (3, 2)]
    assert step(scheduler) == ([0, 1, 2], [])
    assert admit(scheduler, prompt("5", 9, 5, 1)).slot == 3


def test_samples_share_the_prefix_and_go_before_new_prompts() -> None:
    scheduler = Scheduler(slots=2, budget=64)
    first = prompt("1", 41, 20, 4, head=3)
    source = admit(scheduler, first)
    assert scheduler.forks() == []  # nothing to share yet
    assert scheduler.free == 1
    step(scheduler)
    (fork,) = scheduler.forks()
    assert (fork.source, fork.sequence.slot) == (source, 1)
    assert [(s.slot, s.sample.index, s.cached) for s in scheduler.live] == [(0, 0, 40), (1, 1, 40)]
    source.cached = 47
    assert scheduler.finish(source)  # its slot goes on with the third sample
    assert [(s.slot, s.sample.index, s.cached) for s in scheduler.live] == [(0, 2, 40), (1, 1, 40)]
    assert scheduler.finish(scheduler.live[1])
    assert [(s.slot, s.sample.index) for s in scheduler.live] == [(0, 2), (1, 3)]
    assert not scheduler.finish(scheduler.live[0])
    assert admit(scheduler, prompt("2", 5, 5, 1, head=0)).slot == 0
    assert not scheduler.finish(scheduler.live[0])
    assert (scheduler.free, len(scheduler.live)) == (1, 1)


def test_a_prompt_goes_where_most_of_it_is_cached() -> None:
    scheduler = Scheduler(slots=3, budget=64)
    for name, head in (("1", 4), ("2", 9), ("3", 6)):
        admit(scheduler, prompt(name, 20, 5, 1, head))
    step(scheduler)
    for sequence in list(scheduler.live):
        scheduler.finish(sequence)
    fourth = admit(scheduler, prompt("4", 30, 5, 1, head=8))
    assert (fourth.slot, fourth.cached) == (1, 8)
    fifth = admit(scheduler, prompt("5", 30, 5, 1, head=8))
    assert (fifth.slot, fifth.cached) == (2, 6)
    again = admit(scheduler, prompt("1", 20, 5, 1, head=4))
    assert (again.slot, again.cached) == (0, 19)  # all but the token to draw from


def test_the_last_token_of_a_budget_is_used_and_low_slots_are_taken_first() -> None:
    scheduler = Scheduler(slots=4, budget=32)
    admit(scheduler, prompt("1", 32, 5, 3))
    admit(scheduler, prompt("2", 9, 5, 1))
    assert step(scheduler) == ([], [(0, 31), (1, 8)])  # one token was left for the second
    assert [fork.sequence.slot for fork in scheduler.forks()] == [2, 3]


def test_a_slot_that_was_moved_through_holds_nothing_of_before() -> None:
    scheduler = Scheduler(slots=3, budget=64)
    first, second, third = (admit(scheduler, prompt(name, 20, 5, 1, head=4)) for name in "123")
    step(scheduler)
    scheduler.finish(second)  # its slot would be taken up again by the same prompt
    assert [(m.source, m.sequence.slot) for m in scheduler.moves()] == [(2, 1)]
    scheduler.finish(first)
    assert [(m.source, m.sequence.slot) for m in scheduler.moves()] == [(1, 0)]
    assert third.slot == 0
    again = admit(scheduler, prompt("2", 20, 5, 1, head=4))
    assert (again.slot, again.cached) == (1, 0)


def test_a_prompt_needs_its_tokens_and_the_most_it_may_draw() -> None:
    made = prompt("1", 20, 5, 1)
    assert (made.prefix, made.need) == (19, 25)


def test_a_prompt_takes_a_copy_of_what_a_live_one_begins_with() -> None:
    scheduler = Scheduler(slots=3, budget=64)
    first = admit(scheduler, prompt("1", 100, 5, 1, head=90))
    second = prompt("2", 100, 5, 1, head=90)
    assert scheduler.admit(second) is None  # the first fills it
    assert step(scheduler) == ([], [(0, 64)])
    assert scheduler.admit(second) is None
    assert step(scheduler) == ([], [(0, 35)])
    admission = scheduler.admit(second)
    assert admission is not None
    assert admission.source is first
    assert (admission.sequence.slot, admission.sequence.cached) == (1, 90)
    # So few tokens are computed sooner than copied.
    third = scheduler.admit(prompt("3", 100, 5, 1, head=20))
    assert third is not None
    assert (third.source, third.sequence.cached) == (None, 0)


def test_one_slot_keeps_nothing() -> None:
    scheduler = Scheduler(slots=1, budget=64)
    first = admit(scheduler, prompt("1", 20, 5, 1))
    step(scheduler)
    scheduler.finish(first)
    assert admit(scheduler, prompt("1", 20, 5, 1)).cached == 0


@settings(deadline=None)
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 90), st.integers(1, 40), st.integers(1, 6), st.integers(0, 90)),
        max_size=25,
    ),
    slots=st.integers(1, 6),
    lengths=st.randoms(use_true_random=False),
)
def test_every_sample_is_drawn_once_from_its_own_prefix(
    sizes: list[tuple[int, int, int, int]], slots: int, lengths: Random
) -> None:
    """Random prompts and ends, with a model of what each slot of the KV cache holds."""
    budget = 16
    scheduler = Scheduler(slots, budget)
    cache: dict[int, list[int]] = {slot: [] for slot in range(slots)}  # a token, or -1: drawn
    waiting = deque(prompt(str(i), *size) for i, size in enumerate(sizes))
    wanted = sorted((p.request.id, s.index) for p in waiting for s in p.samples)
    finished: list[tuple[str, int]] = []
    while True:
        for fork in scheduler.forks():
            cache[fork.sequence.slot] = cache[fork.source.slot][: fork.sequence.prompt.prefix]
        while waiting and scheduler.free:
            admission = scheduler.admit(waiting[0])
            if admission is None:  # what it shares is not filled yet
                assert not all(sequence.ready for sequence in scheduler.live)
                break
            waiting.popleft()
            sequence, source = admission.sequence, admission.source
            held = cache[source.slot] if source else cache[sequence.slot]
            cache[sequence.slot] = held[: sequence.cached]
        if not scheduler.live:
            break
        for move in scheduler.moves():
            cache[move.sequence.slot] = cache[move.source][: move.sequence.cached]
        assert len(scheduler.live) == slots - scheduler.free
        plan = scheduler.plan()
        ready = sorted((s for s in scheduler.live if s.ready), key=lambda s: s.slot)
        filled = sum(chunk.count for chunk in plan.chunks)
        if len(ready) < len(scheduler.live):
            assert plan.draws == []
            assert 0 < filled < 2 * budget
        else:
            assert [s.slot for s in plan.draws] == list(range(len(scheduler.live)))
        for sequence, count in [(s, 1) for s in plan.draws] + [
            (chunk.sequence, chunk.count) for chunk in plan.chunks
        ]:
            held, text = cache[sequence.slot], sequence.prompt.tokens[:-1].tolist()
            assert held == (text + [-1] * limit_of(sequence))[: sequence.cached]
            held.extend((text + [-1] * limit_of(sequence))[sequence.cached :][:count])
            sequence.cached += count
            if sequence in plan.draws and ends(sequence, lengths):
                finished.append((sequence.prompt.request.id, sequence.sample.index))
                if scheduler.finish(sequence):
                    del held[sequence.prompt.prefix :]
    assert sorted(finished) == wanted
    assert scheduler.free == slots


def limit_of(sequence: Sequence) -> int:
    return sequence.prompt.limit + 1


def ends(sequence: Sequence, lengths: Random) -> bool:
    drawn = sequence.cached - sequence.prompt.prefix
    return drawn == sequence.prompt.limit or lengths.random() < 0.1
