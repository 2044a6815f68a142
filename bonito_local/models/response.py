"""Opening a response of a model hub, within bounds that the HTTP library does not have."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bonito_local.errors import DownloadError


@contextmanager
def open_response(
    address: str, headers: dict[str, str], timeout: float, seconds: float
) -> Iterator[Any]:
    """Open a response whose headers arrive within `seconds`; `timeout` bounds each read.

    The library bounds single reads alone. A server that sends interim responses (1xx) without end,
    or headers at a byte a second, would hold the caller forever. So a thread asks; a late one is
    left behind.

    Raises:
        DownloadError: the headers are late.
    """
    from huggingface_hub import get_session

    session = get_session()
    request = session.build_request("GET", address, headers=headers, timeout=timeout)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(session.send(request, stream=True))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            answers.put(error)

    threading.Thread(target=ask, name="hub", daemon=True).start()
    try:
        response = answers.get(timeout=seconds)
    except queue.Empty:
        raise DownloadError("The hub's answer does not begin.", "Try again later.") from None
    if isinstance(response, Exception):
        raise response
    try:
        yield response
    finally:
        response.close()
