"""An engine on a node of the cluster: blocks go in, tables of completions come out."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray

from bonito_local import __version__
from bonito_local.airgap.limits import leave_no_core
from bonito_local.airgap.switches import set_switches
from bonito_local.backends.base import Backend, Completion, Plan, Request
from bonito_local.backends.cluster.feed import BEAT_SECONDS
from bonito_local.backends.cluster.opening import Opening
from bonito_local.backends.cluster.wire import pack_completions, pack_fault, unpack_requests
from bonito_local.backends.registry import open_backend
from bonito_local.errors import BackendError, BonitoError, ModelError

_COMING_SECONDS = 0.2
_MOST_DEATHS = 3  # of an engine, over one block or while it opens its model


@dataclass(slots=True)
class _Block:
    """Samples still to come, and the completions there are."""

    left: int
    completions: list[Completion] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


class _Arriving:
    """Requests as they arrive. It ends where none is there, and goes on when one has come.

    An engine that asks again whenever it has room is so never drained, and never waits: only
    the first time, for blocks that were fed together.
    """

    def __init__(self, first: Request, following: Callable[[float], Request | None]) -> None:
        self._first: Request | None = first
        self._following = following
        self._seconds = _COMING_SECONDS

    def __iter__(self) -> _Arriving:
        return self

    def __next__(self) -> Request:
        found, self._first = self._first or self._following(self._seconds), None
        if found is None:
            self._seconds = 0.0
            raise StopIteration
        return found


class EngineActor:
    """Called by Ray Data from several threads; one thread of its own runs the engine.

    A block's requests join those that are being drawn, so that the engine does not run empty
    at the end of each block. What cannot be done is an answer, not an exception: Ray would
    start the actor again, and fail in the same way.
    """

    def __init__(self, opening: Opening, feed: Any) -> None:
        set_switches(os.environ)
        leave_no_core()
        self._feed = feed
        self._me = str(ray.get_runtime_context().get_actor_id())
        self._queue: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._blocks: dict[str, _Block] = {}  # by their calls, each of which has a name
        self._calls = count()
        self._coming = self._drawing = 0  # calls that wait for their block, and that have it
        self._lock = threading.Lock()
        self._fault: BonitoError | None = None
        try:
            backend = open_engine(opening, feed, self._me)
        except BonitoError as error:
            self._fault = error
            return
        threading.Thread(target=self._run, args=(backend,), name="engine", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def __call__(self, batch: dict[str, Any]) -> Iterator[pa.Table]:
        """Draw the blocks of these numbers."""
        for number in batch["block"]:
            yield self._draw(int(number))

    def _draw(self, number: int) -> pa.Table:
        if self._fault:
            return pack_fault(self._fault)
        block = None
        with self._lock:
            self._coming += 1
        try:
            data, deaths = ray.get(self._feed.get.remote(number, self._me))
            if deaths > _MOST_DEATHS:
                return pack_fault(_dead("over the same block of requests"))
            requests = unpack_requests(data) if data is not None else []
            block = _Block(sum(len(request.samples) for request in requests))
            # Not by their own ids: a block that was given up for lost may be here twice.
            call = str(next(self._calls))
            self._blocks[call] = block
            for request in requests:
                self._queue.put(replace(request, id=f"{call} {request.id}"))
        finally:
            with self._lock:
                self._coming -= 1
                self._drawing += block is not None
        try:
            while block.left and not block.ended.wait(1.0):
                if self._fault:
                    return pack_fault(self._fault)
            return pack_completions(block.completions)
        finally:
            self._blocks.pop(call, None)
            with self._lock:
                self._drawing -= 1

    def _beat(self) -> None:
        while True:
            self._feed.beat.remote(self._me, self._drawing)
            time.sleep(BEAT_SECONDS)

    def _run(self, backend: Backend) -> None:
        try:
            while True:
                first = self._queue.get()
                for completion in backend.generate(_Arriving(first, self._next)):
                    self._take(completion)
        except BonitoError as error:
            self._fault = error
        # A thread's end must not pass unseen: whoever waits for a block is told.
        except Exception as error:  # noqa: BLE001
            self._fault = BackendError(
                f"The engine failed: {type(error).__name__}: {error}.",
                "Run the same command again: what had finished is kept.",
            )

    def _next(self, seconds: float) -> Request | None:
        """What is in the queue; where that is empty and blocks are on their way, wait for them."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self._queue.get_nowait()
            except queue.Empty:
                if not self._coming or time.monotonic() >= deadline:
                    return None
                time.sleep(0.002)

    def _take(self, completion: Completion) -> None:
        call, _, request_id = completion.request_id.partition(" ")
        block = self._blocks[call]
        block.completions.append(replace(completion, request_id=request_id))
        block.left -= 1
        if not block.left:
            block.ended.set()


def open_engine(opening: Opening, feed: Any, me: str) -> Backend:
    """Open the backend on this node, whose actor `me` is.

    Raises:
        BonitoError: something is not on this node, or an engine died too often.
    """
    if opening.version != __version__:
        raise BackendError(
            f"A node of the cluster has bonito-local {__version__}, the job {opening.version}.",
            "Install the same version on every node.",
        )
    if opening.backend != "fake" and not opening.model.exists():
        raise ModelError(
            f"{opening.model} is not on a node of the cluster.",
            "Models must lie at the same path on every node: use a shared folder.",
        )
    plan = Plan(**opening.plan)
    if (adapter := plan.options.adapter) and not Path(adapter).exists():
        raise ModelError(
            f"The adapter {adapter} is not on a node of the cluster.",
            "Adapters must lie at the same path on every node: use a shared folder.",
        )
    node = ray.get_runtime_context().get_node_id()
    seat, deaths = ray.get(feed.seat.remote(me, node))
    if deaths > _MOST_DEATHS:
        raise _dead("while it loaded the model")
    if opening.share > 1:
        _take_share(seat, opening.share)
    backend = open_backend(opening.backend, opening.model, plan)
    ray.get(feed.opened.remote(me))
    return backend


def _take_share(seat: int, share: int) -> None:
    """Stay on some of the node's cores, so that engines beside each other do not contend."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if mine := set(cores[seat % share :: share]):
        os.sched_setaffinity(0, mine)


def _dead(where: str) -> BackendError:
    return BackendError(
        f"An engine of the cluster died {_MOST_DEATHS + 1} times {where}.",
        "It may need more memory than its node has; Ray's logs there say more.",
    )
