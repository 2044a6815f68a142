"""One execution of Ray Data over numbered blocks: requests are fed, completions come back."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pyarrow as pa

from bonito_local.backends.base import Completion
from bonito_local.backends.cluster.feed import Feed
from bonito_local.backends.cluster.opening import Opening
from bonito_local.backends.cluster.outstanding import Outstanding
from bonito_local.backends.cluster.wire import pack_requests, unpack_completions
from bonito_local.errors import BackendError

CPU_SHARE = 0.5  # of a logical CPU: an engine must not keep Ray's own tasks from one
_STALL_SECONDS = 10.0
_END_SECONDS = 10.0
_UNKNOWN_BLOCKS = 256  # where nobody says how many requests come


class Broken(Exception):
    """Ray gave up on an execution; the message is its first line."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The engines: what each opens, their number, the GPUs of each, its blocks at hand."""

    opening: Opening
    actors: int
    gpus: int
    calls: int


class Execution:
    """One execution of Ray Data over numbered blocks, and the thread that reads its results."""

    def __init__(self, pool: Pool, work: Outstanding, hint: int, check: Callable[[], None]) -> None:
        """Begin it; `hint` is the most requests that come, 0 where nobody knows.

        `check` raises BackendError once the cluster is gone.
        """
        self._work = work
        self._check = check
        self._checked = time.monotonic()
        self._gone = False
        self._calls = pool.actors * pool.calls
        self._window = self._calls + pool.actors
        # More than there can be does no harm; where they run out another execution follows.
        self._blocks = hint // work.size + self._window + 1 if hint else _UNKNOWN_BLOCKS
        self._next = 0
        self._open: dict[int, int] = {}  # block -> requests that are not answered
        self._block_of: dict[str, int] = {}  # of those
        self._done: list[int] = []
        self._source = chain(work.again(), work.blocks())
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._feed = _start_feed(self._calls)
        self._reader = threading.Thread(
            target=self._read, args=(_plan(pool, self._feed, self._blocks),), name="cluster"
        )
        self._reader.daemon = True
        self._reader.start()

    def completions(self) -> Iterator[Completion]:
        """Yield what comes until all has, or the execution ends.

        Raises:
            Broken: Ray gave up.
            BonitoError: an engine said why it cannot go on.
        """
        self._fill()
        while self._open:
            self._look()
            try:
                found = self._results.get(timeout=_STALL_SECONDS)
            except queue.Empty:
                self._look()
                self._ask_again_if_lost()
                continue
            if found is None:
                return
            if isinstance(found, Broken):
                raise found
            for completion in unpack_completions(found):
                if self._work.take(completion):
                    if not self._work.waits_for(completion.request_id):
                        self._note(completion.request_id)
                    yield completion
            self._fill()

    def close(self) -> None:
        """End the engines, and the threads that wait for them."""
        if self._gone:
            return
        with suppress(Exception):  # Of a cluster that is gone there is nothing to end.
            self._feed.end.remote()
            _break_off()
        self._reader.join(_END_SECONDS)

    def _look(self) -> None:
        """See now and then that the cluster is there."""
        if time.monotonic() - self._checked < _STALL_SECONDS:
            return
        try:
            self._check()
        except BackendError:
            self._gone = True
            raise
        self._checked = time.monotonic()

    def _fill(self) -> None:
        """Feed as many blocks as the engines may have at hand."""
        while len(self._open) < self._window and self._next < self._blocks:
            block = next(self._source, None)
            if block is None:
                return
            self._open[self._next] = len(block)
            self._block_of.update((request.id, self._next) for request in block)
            self._feed.put.remote(self._next, pack_requests(block), self._done)
            self._done = []
            self._next += 1

    def _ask_again_if_lost(self) -> None:
        """Feed the open blocks anew where no engine is drawing any.

        What a lost node had drawn is lost with it. Ray would have it drawn again, but cannot
        while all calls of an engine wait for blocks that come after, and would wait for ever
        for another node where there is none.
        """
        import ray

        try:
            idle = ray.get(self._feed.idle.remote(), timeout=_STALL_SECONDS)
        except ray.exceptions.GetTimeoutError:
            return
        except ray.exceptions.RayError as error:
            raise Broken(f"the feed is lost ({type(error).__name__})") from error
        if not idle:
            return
        self._done += self._open
        self._open.clear()
        self._source = chain(self._work.again(), self._work.blocks())
        self._fill()
        if not self._open:
            raise Broken("blocks were lost")

    def _note(self, request_id: str) -> None:
        """A request is answered, and perhaps its block."""
        number = self._block_of.pop(request_id)
        self._open[number] -= 1
        if not self._open[number]:
            del self._open[number]
            self._done.append(number)

    def _read(self, dataset: Any) -> None:
        """Hand over the tables as they come; the last is None, or why there are no more."""
        import ray

        try:
            # Not `iter_batches`: it holds each table back until the next has come.
            for bundle in dataset.iter_internal_ref_bundles():
                for table in ray.get(bundle.block_refs):
                    self._results.put(table)
            self._results.put(None)
        # Whatever Ray raises ends the execution; what it was is told where it matters.
        except Exception as error:  # noqa: BLE001
            said = str(error).strip().rpartition("\n")[2]
            self._results.put(Broken(f"{type(error).__name__}: {said}".rstrip(".")))


def _start_feed(askers: int) -> Any:
    """A process beside the driver: where that is lost the job is, and nothing else loses blocks."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(Feed)
    # Whoever waits for a block holds a call; `put` and `end` need some beside them.
    return actor.options(num_cpus=0, scheduling_strategy=here, max_concurrency=askers + 64).remote()


def _plan(pool: Pool, feed: Any, blocks: int) -> Any:
    """A dataset whose rows are the numbers of blocks, mapped to completions by engines."""
    import ray

    from bonito_local.backends.cluster.actor import EngineActor

    numbers = ray.data.from_blocks([pa.table({"block": [number]}) for number in range(blocks)])
    return numbers.map_batches(
        EngineActor,
        batch_size=None,
        fn_constructor_args=(pool.opening, feed),
        compute=ray.data.ActorPoolStrategy(
            size=pool.actors,
            max_tasks_in_flight_per_actor=pool.calls,
            max_concurrent_calls_per_actor=pool.calls,
            enable_true_multi_threading=True,
        ),
        num_cpus=CPU_SHARE,
        num_gpus=pool.gpus or None,
    )


def _break_off() -> None:
    """Ray has no public way to end an execution whose next result another thread waits for."""
    for thread in threading.enumerate():
        if thread.name.startswith("StreamingExecutor") and hasattr(thread, "shutdown"):
            thread.shutdown(force=False)  # by force Ray would complain of each call that it loses
