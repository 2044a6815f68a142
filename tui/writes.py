"""Writes one after another, in a thread: what was done last is what undo takes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bonito_local.errors import BonitoError

if TYPE_CHECKING:
    from bonito_local.tui.screens.page import Page

Write = Callable[[], Any]
Then = Callable[[Any], object]
_GROUP = "write"


class Writes:
    """A queue of writes of one screen; an error is shown, and the next goes on."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._queue: deque[tuple[Write, Then]] = deque()

    def add(self, what: Write, then: Then) -> None:
        """Do it once those before are done; `then` is called with what it returned, or None."""
        self._queue.append((what, then))
        self._next()

    def done(self) -> bool:
        """Whether all are done; what waits behind one that crashed goes on."""
        self._next()
        return not self._queue and not self._page.is_asked(_GROUP)

    def _next(self) -> None:
        if self._queue and not self._page.is_asked(_GROUP):
            what, then = self._queue.popleft()
            self._page.ask(lambda: _settled(what), lambda end: self._ended(end, then), _GROUP)

    def _ended(self, end: tuple[Any, BonitoError | None], then: Then) -> None:
        found, error = end
        if error is not None:
            self._page.bonito.show_error(error)
        then(found)
        self._next()


def _settled(what: Write) -> tuple[Any, BonitoError | None]:
    try:
        return what(), None
    except BonitoError as error:
        return None, error
