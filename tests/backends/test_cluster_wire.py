"""What the driver and the engines of a cluster tell each other, without Ray."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonito_local.backends.base import Completion, Framed, Request, Sample, Sampling, Shape
from bonito_local.backends.cluster.engine import room
from bonito_local.backends.cluster.feed import Feed
from bonito_local.backends.cluster.options import ClusterOptions, check_cluster
from bonito_local.backends.cluster.outstanding import Outstanding
from bonito_local.backends.cluster.session import Node
from bonito_local.backends.cluster.wire import (
    pack_completions,
    pack_fault,
    pack_requests,
    unpack_completions,
    unpack_requests,
)
from bonito_local.errors import BackendError, BonitoError, ModelError, UsageError

TEXTS = st.text(st.characters())  # half surrogate pairs too
SHAPES = st.none() | st.builds(
    Shape, TEXTS, st.lists(TEXTS, max_size=3).map(tuple), st.none() | TEXTS
)
REQUESTS = st.builds(
    Request,
    TEXTS,
    TEXTS | st.builds(Framed, TEXTS, TEXTS, TEXTS),
    st.builds(Sampling, stop=st.lists(TEXTS, max_size=2).map(tuple), seed=st.integers(0, 1 << 63)),
    st.lists(st.builds(Sample, st.integers(0, 9), st.integers(0, 1 << 64)), max_size=3).map(tuple),
    SHAPES,
)


@given(st.lists(REQUESTS, max_size=4))
def test_requests_arrive_as_they_were(requests: list[Request]) -> None:
    found = unpack_requests(pack_requests(requests))
    assert found == requests
    for one, other in zip(found, requests, strict=True):
        # A chat template's special tokens would else be read as plain text.
        assert type(one.prompt) is type(other.prompt)
        if isinstance(other.prompt, Framed):
            assert vars_of(one.prompt) == vars_of(other.prompt)


def vars_of(prompt: str) -> tuple[str, str, str]:
    assert isinstance(prompt, Framed)
    return prompt.head, prompt.text, prompt.tail


@settings(deadline=None)  # the first call imports what Arrow wants
@given(TEXTS, TEXTS)
def test_completions_arrive_as_they_were_but_for_half_characters(text: str, error: str) -> None:
    sent = Completion("1/exqa", 2, text, 3, 4, "length", error)
    whole = replace(
        sent,
        text=text.encode(errors="replace").decode(),
        error=error.encode(errors="replace").decode(),
    )
    assert list(unpack_completions(pack_completions([sent, sent]))) == [whole, whole]


@pytest.mark.parametrize("error", [ModelError("No model.", "Get one."), BackendError("Broke.", "")])
def test_a_fault_is_raised_as_it_was(error: BonitoError) -> None:
    with pytest.raises(type(error)) as caught:
        list(unpack_completions(pack_fault(error)))
    assert (caught.value.title, caught.value.remedy) == (error.title, error.remedy)


def test_the_feed_gives_a_block_again_until_it_is_done() -> None:
    async def use() -> list[object]:
        feed = Feed()
        early = asyncio.create_task(feed.get(1, "a"))
        await feed.put(0, b"zero", [])
        await feed.put(1, b"one", [])
        found = [await early, await feed.get(0, "a"), await feed.get(0, "b")]
        await feed.put(2, b"two", [0])
        found += [await feed.get(0, "a"), await feed.get(2, "a")]
        late = asyncio.create_task(feed.get(3, "a"))
        await asyncio.sleep(0)
        await feed.end()
        return [*found, await late, await feed.get(2, "a")]

    assert asyncio.run(use()) == [
        (b"one", 0),
        (b"zero", 0),
        (b"zero", 1),  # somebody died over it
        (None, 0),
        (b"two", 0),
        (None, 0),
        (None, 0),
    ]


def test_the_feed_is_idle_where_no_living_engine_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("bonito_local.backends.cluster.feed.time.monotonic", lambda: now)

    async def use() -> list[bool]:
        nonlocal now
        feed = Feed()
        found = [await feed.idle()]  # no engine yet
        await feed.put(0, b"zero", [])
        await feed.beat("a", 0)
        found.append(await feed.idle())
        await feed.get(0, "b")
        found.append(await feed.idle())
        now = 20.0  # b has died
        found.append(await feed.idle())
        await feed.beat("a", 0)
        found.append(await feed.idle())
        await feed.beat("a", 2)
        found.append(await feed.idle())
        return found

    assert asyncio.run(use()) == [False, True, False, False, True, False]


def test_an_engine_keeps_its_seat() -> None:
    async def use() -> list[tuple[int, int]]:
        feed = Feed()
        seats = [await feed.seat("a", "x"), await feed.seat("b", "x"), await feed.seat("c", "y")]
        seats.append(await feed.seat("b", "x"))
        await feed.opened("b")
        return [*seats, await feed.seat("b", "x")]

    assert asyncio.run(use()) == [(0, 0), (1, 0), (0, 0), (1, 1), (1, 0)]


def test_addresses() -> None:
    check_cluster(ClusterOptions())
    check_cluster(ClusterOptions("ray", "[::1]:6379", 8))
    assert ClusterOptions("ray", "[::1]:6379").host == ("::1", 6379)
    assert ClusterOptions("ray", "head.lan:6379").host == ("head.lan", 6379)
    assert ClusterOptions("ray").local
    assert not ClusterOptions().local
    assert not ClusterOptions("ray", "head:1").local


@pytest.mark.parametrize(
    ("options", "title"),
    [
        (ClusterOptions("rai"), "Unknown cluster 'rai'."),
        (ClusterOptions("ray", "head"), "The cluster address 'head' is no HOST:PORT."),
        (ClusterOptions("ray", "head:99999"), "The cluster address 'head:99999' is no HOST:PORT."),
        (ClusterOptions("ray", "http://head:1"), "The cluster address 'http://head:1' is no"),
        (ClusterOptions("ray", "me:pw@head:1"), "The cluster address 'me:pw@head:1' is no"),
        (ClusterOptions("ray", "", -1), "actors is -1."),
        (ClusterOptions("ray", "", 4000), "4000 engines on this machine's"),
        (ClusterOptions("", "head:1"), "A cluster's address or actors are given, but no cluster."),
    ],
)
def test_what_is_no_cluster(options: ClusterOptions, title: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_cluster(options)
    assert caught.value.title.startswith(title)
    assert caught.value.remedy


GPUS = [Node(16, 8), Node(16, 4), Node(8, 0)]


@pytest.mark.parametrize(
    ("asked", "nodes", "each", "found"),
    [
        (0, [Node(4, 0), Node(2, 0), Node(0, 0)], 1, (2, 0)),
        (5, [Node(4, 0)], 1, (5, 0)),
        (0, GPUS, 1, (12, 1)),
        (0, GPUS, 8, (1, 8)),
        (2, GPUS, 4, (2, 4)),
    ],
)
def test_engines_for_which_there_is_room(
    asked: int, nodes: list[Node], each: int, found: tuple[int, int]
) -> None:
    assert room(asked, nodes, each) == found


@pytest.mark.parametrize(
    ("asked", "nodes", "each", "told"),
    [
        (40, [Node(4, 0), Node(2, 0)], 1, "40 engines do not fit: the cluster has 6 CPUs."),
        (3, GPUS, 6, "3 engines of 6 GPUs do not fit: the cluster has 12 GPUs."),
        (0, GPUS, 16, "No node of the cluster has the 16 GPUs that an engine takes."),
        (0, [Node(8, 0)], 2, "No node of the cluster has the 2 GPUs that an engine takes."),
        (0, [Node(0, 0)], 1, "0 engines do not fit: the cluster has 0 CPUs."),
    ],
)
def test_engines_that_would_wait_for_ever(
    asked: int, nodes: list[Node], each: int, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        room(asked, nodes, each)
    assert caught.value.title == told
    assert "0 actors" not in caught.value.remedy


def test_what_comes_twice_counts_once_and_what_is_lost_is_asked_again() -> None:
    def request(at: int) -> Request:
        return Request(f"{at}/qa", "", Sampling(n=2), (Sample(0, 5), Sample(1, 6)))

    def end(at: int, sample: int) -> Completion:
        return Completion(f"{at}/qa", sample, "", 1, 1, "stop")

    work = Outstanding(iter([request(0), request(1), request(2)]), 2)
    assert list(work.again()) == []
    new = work.blocks()
    assert next(new) == [request(0), request(1)]
    assert [work.take(end(0, 0)), work.take(end(0, 0)), work.take(end(1, 1))] == [True, False, True]
    assert [work.take(end(1, 0)), work.take(end(1, 0))] == [True, False]
    assert not work.take(end(2, 0))  # not asked yet
    assert (work.waits_for("0/qa"), work.waits_for("1/qa")) == (True, False)
    assert list(work.again()) == [[replace(request(0), samples=(Sample(1, 6),))]]
    assert list(work.blocks()) == [[request(2)]]
    assert not work.finished
    assert all(work.take(end(at, sample)) for at, sample in [(0, 1), (2, 1), (2, 0)])
    assert work.finished
    assert work.taken == 6
