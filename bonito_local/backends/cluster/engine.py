"""A cluster as a backend: the job's loop, ledger, checks and resume stay where they are.

Ray Data spreads blocks of requests over engines, one in each actor, keeps each busy and no
more than that, starts engines that died again and hands what they had to others. Whatever
Ray cannot mend is asked again here, for as long as rows go on coming.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from operator import length_hint
from pathlib import Path

from bonito_local.backends.base import Completion, Plan, Request
from bonito_local.backends.cluster.execution import CPU_SHARE, Broken, Execution, Pool
from bonito_local.backends.cluster.opening import Opening
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.backends.cluster.outstanding import Outstanding
from bonito_local.backends.cluster.session import Node, Session
from bonito_local.backends.cluster.vocabulary import open_vocabulary
from bonito_local.backends.exclusive import Exclusive
from bonito_local.errors import BackendError, UsageError

_BLOCK = 128  # requests, at most
_BLOCKS_PER_ACTOR = 32  # at least, so that all end at about the same time
_MOST_CALLS = 16  # blocks that an engine has at hand
# Requests that an engine has at hand: more than it draws together, or it runs empty.
_AHEAD = {"llamacpp": 256, "fake": 512}
_AHEAD_GPU = 2048


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
        self._session = Session(options)
        each = 1 if backend == "fake" else plan.options.tensor_parallel
        try:
            self.actors, self.gpus = room(options.actors, self._session.nodes, each)
        except UsageError:
            self._session.close()
            raise
        share = self.actors if options.local and not self.gpus else 1
        self.opening = Opening(backend, model.resolve(), _sent(plan), share)
        self._exclusive = Exclusive()

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return self._vocabulary.count_tokens(text)

    def generate(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield every sample's completion once, a block of them at a time.

        Raises:
            ModelError: an engine cannot open its model.
            BackendError: engines keep failing, or the cluster is gone.
        """
        with self._exclusive:
            yield from self._run(requests)

    def _run(self, requests: Iterable[Request]) -> Iterator[Completion]:
        hint = length_hint(requests, 0)
        size = max(1, min(_BLOCK, hint // (self.actors * _BLOCKS_PER_ACTOR) or 1))
        if not hint:
            size = _BLOCK // 4
        calls = min(_MOST_CALLS, -(-_AHEAD.get(self.name, _AHEAD_GPU) // size))
        pool = Pool(self.opening, self.actors, self.gpus, calls)
        work = Outstanding(iter(requests), size)
        while True:
            before = work.taken
            execution = Execution(pool, work, hint, self._session.check)
            try:
                yield from execution.completions()
            except Broken as error:
                if work.taken == before:
                    raise BackendError(
                        f"The cluster's engines keep failing: {error}.",
                        "Look at the nodes' memory and at Ray's logs, then run it again.",
                    ) from error
            finally:
                execution.close()
            if work.finished:
                return

    def close(self) -> None:
        """End the engines, and the cluster if it was started here."""
        self._session.close()


def _sent(plan: Plan) -> dict[str, object]:
    """A plan as engines on other nodes are told it: no callables, and none tunes beside others."""
    told = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return {k: v for k, v in told.items() if k not in ("notify", "stop")} | {"tune": False}


def room(asked: int, nodes: Sequence[Node], each: int) -> tuple[int, int]:
    """The number of engines, and the GPUs of each: `each` where there are any, else none.

    Raises:
        UsageError: they do not fit, and Ray would wait for ever for nodes on which they do.
    """
    gpus = each if each > 1 or any(node.gpus >= 1 for node in nodes) else 0
    if gpus:
        most = sum(int(node.gpus) // gpus for node in nodes)
        there = f"{sum(node.gpus for node in nodes):.0f} GPUs"
    else:
        most = sum(int(node.cpus / CPU_SHARE) for node in nodes)
        there = f"{sum(node.cpus for node in nodes):.0f} CPUs"
    if gpus and not most:
        raise UsageError(
            f"No node of the cluster has the {gpus} GPUs that an engine takes.",
            "Lower engine.tensor_parallel.",
        )
    actors = asked or (most if gpus else len([node for node in nodes if node.cpus > 0]))
    if not 0 < actors <= most:
        of = f" of {gpus} GPUs" if gpus else ""
        raise UsageError(
            f"{actors} engines{of} do not fit: the cluster has {there}.",
            f"Ask for {most} actors." if most else "Add nodes with CPUs to it.",
        )
    return actors, gpus
