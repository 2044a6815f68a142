"""JSON over HTTP to one server, with retries; the standard library's client, no proxies.

Sockets come from the air gap, which leaves open the server's address alone.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import random
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bonito_local import airgap
from bonito_local.backends.endpoint import Endpoint
from bonito_local.errors import BackendError
from bonito_local.shapes import ShapeError, parse

KEY = "BONITO_LOCAL_API_KEY"
_PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_MOST_BYTES, _MOST_ERROR = 64 << 20, 1 << 20
_REPEATED = 24  # characters of a prompt in a server's error, which are no coincidence
_LOOK_SECONDS = 0.2
_MOST_STATUSES = 100
_BODY_SECONDS = 20.0  # for an answer's body, once its headers are there


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        seconds: for an answer.
        attempts: before a request is given up.
        pause: before the second attempt; each further one waits twice as long.
        longest: of those pauses, and of what a server asks for.
    """

    seconds: float = 600.0
    attempts: int = 6
    pause: float = 0.5
    longest: float = 60.0


class Refused(Exception):
    """The server answered with a status that trying again does not change."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status
        self.said = said


class Unanswered(Exception):
    """No attempt brought an answer; `reached` is whether there was a server at all."""

    def __init__(self, said: str, reached: bool) -> None:
        super().__init__(said)
        self.said = said
        self.reached = reached


class Aborted(Exception):
    """The client was closed meanwhile."""


class _Failure(Exception):
    """One attempt failed, and another may not."""

    def __init__(
        self, said: str, *, after: float = 0.0, reached: bool = True, final: bool = False
    ) -> None:
        super().__init__(said)
        self.after = after
        self.reached = reached
        self.final = final  # the next attempt would end so too


class Client:
    """Asks one server, from many threads: each keeps a connection of its own."""

    def __init__(self, endpoint: Endpoint, patience: Patience) -> None:
        self.endpoint = endpoint
        self.patience = patience
        self._own = threading.local()
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._closed = threading.Event()
        self._watching: threading.Thread | None = None
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key := os.environ.get(KEY, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise BackendError(
                    f"The key in {KEY} holds what no key does.", "Set it to the key alone."
                )
            self._headers["Authorization"] = f"Bearer {key}"

    def ask(self, path: str, body: dict[str, Any] | None = None, attempts: int = 0) -> Any:
        """Get, or post `body` to, a path; return the JSON that comes back.

        Raises:
            Refused: the server does not want this request.
            Unanswered: no answer came, however often it was tried.
            Aborted: the client was closed.
        """
        most = attempts or self.patience.attempts
        pause = self.patience.pause
        for attempt in range(1, most + 1):
            if self._closed.is_set():
                raise Aborted
            try:
                return self._try(path, body)
            except _Failure as error:
                if attempt == most or error.final:
                    raise Unanswered(str(error), error.reached) from error
                # Spread out: requests that failed together would come back together.
                wait = max(error.after, pause * random.uniform(0.75, 1.25))
                pause = min(2 * pause, self.patience.longest)
                if self._closed.wait(min(wait, self.patience.longest)):
                    raise Aborted from error
        raise AssertionError("unreachable")

    def abort(self) -> None:
        """Break off whatever other threads are asking; for good."""
        self._closed.set()
        with self._lock:
            for connection in self._open:
                connection.abort()

    def _watch(self) -> None:
        """Break off what takes too long in all: a byte a second keeps every single read short."""
        while not self._closed.wait(_LOOK_SECONDS):
            with self._lock:
                for connection in self._open:
                    connection.expire()

    def close(self) -> None:
        """Close all connections, once no other thread uses one."""
        self.abort()
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _try(self, path: str, body: dict[str, Any] | None) -> Any:
        connection, fresh = self._connection()
        try:
            status, headers, data = self._exchange(connection, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop(connection)
            if self._closed.is_set():
                raise Aborted from error
            if connection.late and connection.begun:
                raise _Failure("its answer has no end", final=True) from error
            if connection.late:
                error = TimeoutError()
            if not fresh and not isinstance(error, TimeoutError):
                # The server closed a connection that had long been idle: not its fault.
                return self._try(path, body)
            raise _Failure(_said(error, self.patience.seconds), reached=connection.made) from error
        if status == 200:
            try:
                return parse(data, most=_MOST_BYTES)
            except ShapeError as error:
                raise _Failure("it answered with something that is not JSON") from error
        said = f"status {status}{_message(data, body)}"
        if status in _PASSING:
            raise _Failure(said, after=_seconds(headers.get("Retry-After", "")))
        raise Refused(status, said)

    def _exchange(
        self, connection: _Connection, path: str, body: dict[str, Any] | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        data = None if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        with connection.deadline():
            connection.request(method, f"{self.endpoint.path}{path}", data, self._headers)
            with connection.getresponse() as answer:
                connection.hurry()
                found = answer.read(_MOST_BYTES + 1)
        if connection.late:
            raise TimeoutError
        if len(found) > _MOST_BYTES:
            raise http.client.HTTPException("it answered with too much")
        if answer.will_close:
            self._drop(connection)
        return answer.status, answer.headers, found

    def _connection(self) -> tuple[_Connection, bool]:
        kept: _Connection | None = getattr(self._own, "connection", None)
        if kept is not None:
            return kept, False
        made = _Connection(self.endpoint, self.patience.seconds, self._closed)
        self._own.connection = made
        with self._lock:
            self._open.add(made)
            if self._watching is None:
                self._watching = threading.Thread(target=self._watch, name="patience", daemon=True)
                self._watching.start()
        return made, True

    def _drop(self, connection: _Connection) -> None:
        self._own.connection = None
        with self._lock:
            self._open.discard(connection)
        connection.close()


class _Response(http.client.HTTPResponse):
    """A response that comes to itself: http.client reads interim ones (1xx) without end."""

    def _read_status(self) -> Any:
        self._statuses = getattr(self, "_statuses", 0) + 1
        if self._statuses > _MOST_STATUSES:
            raise http.client.HTTPException("it says without end that it goes on")
        return super()._read_status()  # type: ignore[misc]


class _Connection(http.client.HTTPConnection):
    """A connection over the socket that the air gap gives."""

    response_class = _Response

    def __init__(self, endpoint: Endpoint, timeout: float, closed: threading.Event) -> None:
        super().__init__(endpoint.host, endpoint.port)
        self._endpoint = endpoint
        self._seconds = timeout
        self._closed = closed
        self._until = math.inf
        self.made = self.begun = self.late = False

    @contextmanager
    def deadline(self) -> Iterator[None]:
        """Give the block so many seconds in all; `late` tells that they were not enough."""
        self._until = time.monotonic() + self._seconds
        self.begun = False
        try:
            yield
        finally:
            self._until = math.inf

    def hurry(self) -> None:
        """Give what remains of an answer that has begun little time: it is there as a whole."""
        self._until = min(self._until, time.monotonic() + _BODY_SECONDS)
        self.begun = True

    def expire(self) -> None:
        """Break off what should have been done by now."""
        if time.monotonic() > self._until:
            self.late = True
            self.abort()

    def connect(self) -> None:
        sock = airgap.connect(self._endpoint.address, self._seconds)
        if self._endpoint.scheme == "https":
            context = ssl.create_default_context()
            sock = context.wrap_socket(sock, server_hostname=self._endpoint.host)
        self.sock = sock
        self.made = True
        # Whoever closed the client a moment ago found no socket to shut down.
        if self._closed.is_set():
            raise ConnectionAbortedError

    def abort(self) -> None:
        """Wake the thread that waits for an answer."""
        if (sock := self.sock) is not None:
            try:
                sock.shutdown(2)
            except OSError:
                return  # it has ended already


def _said(error: Exception, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {seconds:g} seconds"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, (http.client.HTTPException, ConnectionError)):
        return "it broke off the connection"
    return (getattr(error, "strerror", None) or type(error).__name__).lower()


def _message(data: bytes, body: dict[str, Any] | None) -> str:
    """What an error's body says, as OpenAI's servers and Ollama put it.

    Nothing where it repeats the prompt: errors are logged, and hold no text of a document.
    """
    try:
        found = parse(data, most=_MOST_ERROR)
    except ShapeError:
        return ""
    error = found.get("error", found) if isinstance(found, dict) else None
    said = error.get("message", "") if isinstance(error, dict) else error
    if not isinstance(said, str) or not said:
        return ""
    shown = " ".join(said.split())[:200]
    prompt = " ".join(_prompt(body or {}).split())
    repeated = any(shown[at : at + _REPEATED] in prompt for at in range(len(shown) - _REPEATED + 1))
    return "" if repeated else f": {shown}"


def _prompt(body: dict[str, Any]) -> str:
    """What a request asks, be it a text or a chat."""
    said = [message["content"] for message in body.get("messages", ())]
    return "\n".join([str(body.get("prompt", "")), *said])


def _seconds(header: str) -> float:
    return float(header) if header.strip().isdecimal() else 0.0
