"""An engine generates for one caller at a time."""

from __future__ import annotations

from threading import Lock

from bonito_local.errors import BackendError


class Exclusive:
    """A block that only one may be in: `with` raises BackendError for a second."""

    def __init__(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise BackendError(
                "The engine is generating already.", "Exhaust or close the other iterator first."
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()
