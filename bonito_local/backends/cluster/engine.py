"""A cluster as a backend: the job's loop, ledger, checks and resume stay where they are.

Ray Data spreads blocks of requests over engines, one in each actor, keeps each busy and no
more than that, starts engines that died again and hands what they had to others. Whatever
Ray cannot mend is asked again here, for as long as rows go on coming.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from itertools import chain, islice
from operator import length_hint
from pathlib import Path
from typing import Any

import pyarrow as pa

from bonito_local.backends.base import Completion, Plan, Request
from bonito_local.backends.cluster.feed import Feed
from bonito_local.backends.cluster.opening import Opening
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.backends.cluster.session import Session
from bonito_local.backends.cluster.vocabulary import open_vocabulary
from bonito_local.backends.cluster.wire import pack_requests, unpack_completions
from bonito_local.errors import BackendError, UsageError

_BLOCK = 128  # requests, at most
_BLOCKS_PER_ACTOR = 16  # at least, so that all end at about the same time
_MOST_CALLS = 16  # blocks that an engine has at hand
# Requests that an engine has at hand: more than it draws together, or it runs empty.
_AHEAD = {"llamacpp": 256, "fake": 512}
_AHEAD_GPU = 2048
_STALL_SECONDS = 10.0
_CPU_SHARE = 0.5  # of a logical CPU: an engine must not keep Ray's own tasks from one
_UNKNOWN_BLOCKS = 256  # of a quarter of the most, where nobody says how many requests come


def open_cluster(options: ClusterOptions, backend: str, model: Path, plan: Plan) -> Cluster:
    """Start or join the cluster; engines open the model once there is something to draw.

    Raises:
        UsageError: the cluster has no room for so many engines, or the backend is a server.
        ModelError: the model's vocabulary cannot be read here.
        BackendError: Ray is missing, or the cluster cannot be reached.
    """
    return Cluster(options, backend, model, plan)


class Cluster:
    """Engines of one kind on the nodes of a Ray cluster."""

    def __init__(self, options: ClusterOptions, backend: str, model: Path, plan: Plan) -> None:
        self.name = backend
        self._vocabulary = open_vocabulary(backend, model)
        self.context_length = self._vocabulary.context_length
        self.metadata = self._vocabulary.metadata
        self._options = options
        self._session = Session(options)
        try:
            self.actors, self.gpus = _room(options, self._session, backend, plan)
        except UsageError:
            self._session.close()
            raise
        told = {f.name: getattr(plan, f.name) for f in fields(plan)}
        share = self.actors if options.local and not self.gpus else 1
        sent = {k: v for k, v in told.items() if k not in ("notify", "stop")} | {"tune": False}
        self.opening = Opening(backend, model.resolve(), sent, share)

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return self._vocabulary.count_tokens(text)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion once, a block of them at a time.

        Raises:
            ModelError: an engine cannot open its model.
            BackendError: engines keep failing, or the cluster is gone.
        """
        hint = length_hint(requests, 0)
        size = max(1, min(_BLOCK, hint // (self.actors * _BLOCKS_PER_ACTOR) or 1))
        if not hint:
            size = _BLOCK // 4
        work = Outstanding(iter(requests), size)
        while True:
            before = work.taken
            run = _Run(self, work, size, hint)
            try:
                yield from run.completions()
            except _Broken as error:
                if work.taken == before:
                    raise BackendError(
                        f"The cluster's engines keep failing: {error}.",
                        "Look at the nodes' memory and at Ray's logs, then run it again.",
                    ) from error
            finally:
                run.close()
            if work.finished:
                return

    def close(self) -> None:
        """End the engines, and the cluster if it was started here."""
        self._session.close()


class _Broken(Exception):
    """Ray gave up on an execution; the message is its first line."""


class Outstanding:
    """What was asked and has not come: a completion that comes twice counts once."""

    def __init__(self, source: Iterator[Request], size: int) -> None:
        self._source = source
        self._size = size
        self._ended = False
        self._waiting: dict[str, tuple[Request, set[int]]] = {}
        self.taken = 0

    @property
    def finished(self) -> bool:
        """Whether all has come, and nothing is left to ask."""
        return self._ended and not self._waiting

    def again(self) -> Iterator[list[Request]]:
        """Blocks of what an earlier execution left behind."""
        left = [
            replace(request, samples=tuple(s for s in request.samples if s.index in indices))
            for request, indices in self._waiting.values()
        ]
        while block := left[: self._size]:
            del left[: self._size]
            yield block

    def blocks(self) -> Iterator[list[Request]]:
        """Blocks of what is new, as they are pulled."""
        while block := list(islice(self._source, self._size)):
            for request in block:
                self._waiting[request.id] = request, {s.index for s in request.samples}
            yield block
        self._ended = True

    def take(self, completion: Completion) -> bool:
        """Whether this is the first time that it comes."""
        _, indices = self._waiting.get(completion.request_id, (None, set[int]()))
        if completion.sample not in indices:
            return False
        indices.remove(completion.sample)
        if not indices:
            del self._waiting[completion.request_id]
        self.taken += 1
        return True


class _Run:
    """One execution of Ray Data over numbered blocks, and the thread that reads its results."""

    def __init__(self, cluster: Cluster, work: Outstanding, size: int, hint: int) -> None:
        self._work = work
        calls = min(_MOST_CALLS, -(-_AHEAD.get(cluster.name, _AHEAD_GPU) // size))
        self._calls = cluster.actors * calls
        self._window = self._calls + cluster.actors
        # More than there can be does no harm; where they run out another execution follows.
        self._blocks = hint // size + self._window + 1 if hint else _UNKNOWN_BLOCKS
        self._next = 0
        self._open: dict[int, int] = {}  # block -> samples to come
        self._block_of: dict[str, int] = {}
        self._done: list[int] = []
        self._source = chain(work.again(), work.blocks())
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._feed = _start_feed(cluster.actors * calls)
        dataset = _plan(cluster, self._feed, self._blocks, calls)
        threading.Thread(target=self._read, args=(dataset,), name="cluster", daemon=True).start()

    def completions(self) -> Iterator[Completion]:
        """Yield what comes until all has, or the execution ends.

        Raises:
            _Broken: Ray gave up.
            BonitoError: an engine said why it cannot go on.
        """
        self._fill()
        while self._open:
            try:
                found = self._results.get(timeout=_STALL_SECONDS)
            except queue.Empty:
                self._ask_again_if_lost()
                continue
            if found is None:
                return
            if isinstance(found, _Broken):
                raise found
            for completion in unpack_completions(found):
                if self._work.take(completion):
                    self._note(completion.request_id)
                    yield completion
            self._fill()

    def close(self) -> None:
        """Have the engines ask for nothing more."""
        with suppress(Exception):  # Of a cluster that is gone there is nothing to end.
            self._feed.end.remote()

    def _fill(self) -> None:
        """Feed as many blocks as the engines may have at hand."""
        while len(self._open) < self._window and self._next < self._blocks:
            block = next(self._source, None)
            if block is None:
                return
            self._open[self._next] = sum(len(request.samples) for request in block)
            self._block_of.update((request.id, self._next) for request in block)
            self._feed.put.remote(self._next, pack_requests(block), self._done)
            self._done = []
            self._next += 1

    def _ask_again_if_lost(self) -> None:
        """Feed the open blocks anew where every engine waits for another one.

        What a lost node had drawn is lost with it; Ray would have it drawn again, but cannot
        while all calls of an engine wait for blocks that come after.
        """
        import ray

        try:
            waiting = ray.get(self._feed.waiting.remote(), timeout=_STALL_SECONDS)
        except ray.exceptions.GetTimeoutError:
            return
        except ray.exceptions.RayError as error:
            raise _Broken(f"the feed is lost ({type(error).__name__})") from error
        if waiting < self._calls:
            return
        self._done += self._open
        self._open.clear()
        self._source = chain(self._work.again(), self._work.blocks())
        self._fill()
        if not self._open:
            raise _Broken("blocks were lost")

    def _note(self, request_id: str) -> None:
        number = self._block_of[request_id]
        self._open[number] -= 1
        if not self._open[number]:
            del self._open[number]
            self._done.append(number)

    def _read(self, dataset: Any) -> None:
        """Hand over the tables as they come; the last is None, or why there are no more."""
        try:
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
                self._results.put(table)
            self._results.put(None)
        # Whatever Ray raises ends the execution; what it was is told where it matters.
        except Exception as error:  # noqa: BLE001
            said = str(error).strip().rpartition("\n")[2]
            self._results.put(_Broken(f"{type(error).__name__}: {said}".rstrip(".")))


def _start_feed(askers: int) -> Any:
    """A process beside the driver: where that is lost the job is, and nothing else loses blocks."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Feed)
    # Whoever waits for a block holds a call; `put` and `end` need some beside them.
    return actor.options(num_cpus=0, scheduling_strategy=here, max_concurrency=askers + 64).remote()


def _plan(cluster: Cluster, feed: Any, blocks: int, calls: int) -> Any:
    """A dataset whose rows are the numbers of blocks, mapped to completions by engines."""
    import ray

    from bonito_local.backends.cluster.actor import EngineActor

    numbers = ray.data.from_blocks([pa.table({"block": [number]}) for number in range(blocks)])
    return numbers.map_batches(
        EngineActor,
        batch_size=None,
        fn_constructor_args=(cluster.opening, feed),
        compute=ray.data.ActorPoolStrategy(
            size=cluster.actors,
            max_tasks_in_flight_per_actor=calls,
            max_concurrent_calls_per_actor=calls,
            enable_true_multi_threading=True,
        ),
        num_cpus=_CPU_SHARE,
        num_gpus=cluster.gpus or None,
    )


def _room(options: ClusterOptions, session: Session, backend: str, plan: Plan) -> tuple[int, int]:
    """The number of engines, and the GPUs of each."""
    there = session.resources
    each = plan.options.tensor_parallel
    gpus = each if backend != "fake" and there["GPU"] >= each else 0
    actors = options.actors or (int(there["GPU"]) // gpus if gpus else session.nodes)
    if gpus and actors * gpus > there["GPU"]:
        raise UsageError(
            f"{actors} engines of {gpus} GPUs do not fit: the cluster has {there['GPU']:.0f}.",
            f"Ask for {int(there['GPU']) // gpus} actors.",
        )
    if actors * _CPU_SHARE > there["CPU"]:
        raise UsageError(
            f"{actors} engines do not fit: the cluster has {there['CPU']:.0f} CPUs.",
            f"Ask for {int(there['CPU'] / _CPU_SHARE)} actors.",
        )
    return actors, gpus
