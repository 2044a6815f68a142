"""What a cluster was asked and has not brought yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from bonito_local.backends.base import Completion, Request


class Outstanding:
    """What was asked and has not come: what is lost is asked again, what comes twice counts once.

    Attributes:
        size: requests in a block, at most.
        taken: completions that came.
    """

    def __init__(self, source: Iterator[Request], size: int) -> None:
        self._source = source
        self.size = size
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
        while block := left[: self.size]:
            del left[: self.size]
            yield block

    def blocks(self) -> Iterator[list[Request]]:
        """Blocks of what is new, as they are pulled."""
        while block := list(islice(self._source, self.size)):
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

    def waits_for(self, request_id: str) -> bool:
        """Whether a request has samples that have not come."""
        return request_id in self._waiting
