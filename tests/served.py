"""A server of OpenAI's completions API over real HTTP, with faults to order."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAIR = "What is said?\n<|pipe|>\n{word}"


@dataclass
class Served:
    """What the server is to do, and what it was asked.

    `faults` are taken one a completion: "drop", "cut", "garbage", "empty", "slow", or a status
    with headers. A prompt that holds a key of `poisoned` always gets that fault. `chat` answers
    chats, by a message's fields or a status; without it there are none. `shown` is what is at other
    paths.
    """

    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "bonito", "meta": {}}])
    faults: list[str | tuple[int, dict[str, str]]] = field(default_factory=list)
    poisoned: dict[str, str | tuple[int, dict[str, str]]] = field(default_factory=dict)
    listing: int = 200
    chat: Callable[[dict[str, Any]], Any] | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    counts: bool = True
    slow: float = 1.5
    pause: float = 0.0
    key: str = ""
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        super().server_bind()
        self.connected: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connected.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connected.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Break kept connections: a server that is gone answers on none."""
        for sock in list(self.connected):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    handler = type("Bound", (_Handler,), {"served": served})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        served.released.set()
        server.shutdown()
        thread.join()
        server.hang_up()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: Served
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.served.key and self.headers.get("Authorization") != f"Bearer {self.served.key}":
            self._answer({"error": {"message": "no key"}}, 401)
        elif self.path == "/v1/models" and self.served.listing != 200:
            self._answer({"error": {"message": "loading"}}, self.served.listing)
        elif self.path == "/v1/models":
            self._answer({"object": "list", "data": self.served.models})
        elif self.path in self.served.shown:
            self._answer(self.served.shown[self.path])
        else:
            self._answer({"error": {"message": "not found"}}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize" and self.served.counts:
            self._answer({"tokens": list(range(len(body["content"].split())))})
        elif self.path == "/v1/completions":
            with self.served.lock:
                self.served.busy += 1
                self.served.busiest = max(self.served.busiest, self.served.busy)
                self.served.asked.append(body)
                self.served.times.append(time.monotonic())
                fault = self.served.faults.pop(0) if self.served.faults else None
            poison = [f for word, f in self.served.poisoned.items() if word in body["prompt"]]
            try:
                self._complete(body, poison[0] if poison else fault)
            finally:
                with self.served.lock:
                    self.served.busy -= 1
        elif self.path == "/v1/chat/completions" and self.served.chat:
            self.served.chats.append(body)
            said = self.served.chat(body)
            if isinstance(said, int):
                self._answer({"error": {"message": "said why"}}, said)
                return
            choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 7, "completion_tokens": 3}
            self._answer({"choices": [choice], "usage": usage})
        elif self.path in self.served.shown:
            self._answer(self.served.shown[self.path])
        else:
            self._answer({"error": {"message": "not found"}}, 404)

    def _complete(
        self, body: dict[str, Any], fault: str | tuple[int, dict[str, str]] | None
    ) -> None:
        self.served.released.wait(self.served.slow if fault == "slow" else self.served.pause)
        if isinstance(fault, tuple):
            self._answer({"error": {"message": "said why"}}, *fault)
        elif fault == "drop":
            self.close_connection = True
        elif fault == "cut":
            self._send(b'{"choices": [{"te', 200, {"Content-Length": "500"})
            self.close_connection = True
        elif fault == "garbage":
            self._send(b"<html>busy</html>", 200, {})
        elif fault == "empty":
            self._answer({"choices": []})
        else:
            words = body["prompt"].split()
            text = PAIR.format(word=words[body["seed"] % len(words)])
            usage = {"prompt_tokens": len(words), "completion_tokens": len(text.split())}
            choice = {"index": 0, "text": text, "finish_reason": "stop"}
            self._answer({"model": body["model"], "choices": [choice], "usage": usage})

    def _answer(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(data).encode(), status, headers or {})

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
