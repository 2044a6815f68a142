"""Hands blocks of requests from the driver to whichever engine asks, by number.

Ray Data passes numbers alone to the engines, so that what is retried on another node finds
its block again and neither the cluster's memory nor the plan grows with the job. The feed is
a process on the driver's machine; a block stays in it until its completions are recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

BEAT_SECONDS = 2.0  # an engine says so often that it lives
_DEAD_SECONDS = 15.0


class Feed:
    """A Ray actor; its methods run on one event loop."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytes] = {}
        self._done: set[int] = set()
        self._first_open = 0  # blocks before it are done
        self._ended = False
        self._changed = asyncio.Condition()
        self._asked: Counter[int] = Counter()
        self._seats: dict[str, list[str]] = {}
        self._starts: Counter[str] = Counter()
        self._beats: dict[str, tuple[float, int]] = {}

    async def put(self, number: int, block: bytes, done: Iterable[int]) -> None:
        """Take in a block, and drop those that are done."""
        async with self._changed:
            self._blocks[number] = block
            self._drop(done)
            self._changed.notify_all()

    async def end(self) -> None:
        """No more blocks will come, and none is asked for any more."""
        async with self._changed:
            self._blocks.clear()
            self._ended = True
            self._changed.notify_all()

    async def get(self, number: int, engine: str) -> tuple[bytes | None, int]:
        """Wait for a block: None where it is done already, or will not come.

        With it comes how often it was asked before: each time an engine died over it.
        """
        async with self._changed:
            await self._changed.wait_for(
                lambda: number in self._blocks or self._ended or self._is_done(number)
            )
            if number not in self._blocks:
                return None, 0
            self._asked[number] += 1
            self._beats[engine] = time.monotonic(), 1
            return self._blocks[number], self._asked[number] - 1

    async def beat(self, engine: str, drawing: int) -> None:
        """An engine lives, and is drawing so many blocks."""
        self._beats[engine] = time.monotonic(), drawing

    async def idle(self) -> bool:
        """Whether there are engines, and none of those that live is drawing."""
        since = time.monotonic() - _DEAD_SECONDS
        alive = [drawing for at, drawing in self._beats.values() if at > since]
        return bool(alive) and not any(alive)

    async def seat(self, engine: str, node: str) -> tuple[int, int]:
        """The place of an engine among those of its node, the same when it is started again.

        With it comes how often it was started before and did not say `opened`.
        """
        taken = self._seats.setdefault(node, [])
        if engine not in taken:
            taken.append(engine)
        self._starts[engine] += 1
        return taken.index(engine), self._starts[engine] - 1

    async def opened(self, engine: str) -> None:
        """The engine has its model."""
        del self._starts[engine]

    def _is_done(self, number: int) -> bool:
        return number < self._first_open or number in self._done

    def _drop(self, done: Iterable[int]) -> None:
        for number in done:
            self._blocks.pop(number, None)
            del self._asked[number]
            self._done.add(number)
        while self._first_open in self._done:
            self._done.remove(self._first_open)
            self._first_open += 1
