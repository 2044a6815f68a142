"""A server that lies, drips and never ends; over real HTTP."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bonito_local.backends import http_json
from bonito_local.backends.base import Completion, Request, Sample, Sampling
from bonito_local.backends.endpoint import parse_endpoint
from bonito_local.backends.http_json import Client, Patience, Refused, Unanswered
from bonito_local.backends.openai_api import OpenAI
from bonito_local.errors import BackendError, UsageError

PROMPT = "The tenant of the flat in Ghent is HIV positive and pays his rent late each month."
Answer = Callable[[BaseHTTPRequestHandler], None]


def say(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if not {"Content_Length", "Transfer_Encoding"} & set(headers):
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def forever(piece: bytes, pause: float = 0.0, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if headers:
            say(b"", 200, **headers)(handler)
        with suppress(OSError):
            while True:
                handler.wfile.write(piece)
                time.sleep(pause)

    return answer


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with suppress(OSError):
                answer(self)

        do_GET = do_POST

    class Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Clients that hang up are part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def asked(answer: Answer, **more: Any) -> Any:
    patience = Patience(seconds=1.0, attempts=1, pause=0.01, longest=0.1)
    with serving(answer) as url, closing(Client(parse_endpoint(url), patience)) as client:
        return client.ask("/v1/completions", {"prompt": PROMPT, **more})


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "answer",
    [
        forever(b" ", 0.05, Content_Length="100000"),
        forever(b"10000\r\n" + b" " * 65536 + b"\r\n", Transfer_Encoding="chunked"),
        forever(b"HTTP/1.1 100 Continue\r\n\r\n"),
        forever(b"HTTP/1.1 200 OK\r\nX: y", 0.05),
        say(b"{}", Content_Length="9" * 30),
        say(b"{}", Content_Length="-1"),
    ],
    ids=["drips", "endless", "1xx", "headers drip", "long", "negative"],
)
def test_an_answer_that_never_ends_is_broken_off(answer: Answer) -> None:
    begun = time.monotonic()
    with suppress(Unanswered):
        asked(answer)
    assert time.monotonic() - begun < 20


@pytest.mark.timeout(60)
def test_an_answer_that_stops_in_its_middle_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole patience is for a server that computes: its answer comes at once."""
    monkeypatch.setattr(http_json, "_BODY_SECONDS", 0.5)
    patience = Patience(seconds=100.0, attempts=6)
    begun = time.monotonic()
    with (
        serving(say(b"{}", 200, Content_Length="99999")) as url,
        closing(Client(parse_endpoint(url), patience)) as client,
        pytest.raises(Unanswered, match="no end"),
    ):
        client.ask("/v1/completions", {"prompt": PROMPT})
    assert time.monotonic() - begun < 20


@pytest.mark.timeout(60)
def test_interim_responses_without_end_are_broken_off_at_once() -> None:
    patience = Patience(seconds=100.0, attempts=1)
    begun = time.monotonic()
    with (
        serving(forever(b"HTTP/1.1 100 Continue\r\n\r\n")) as url,
        closing(Client(parse_endpoint(url), patience)) as client,
        pytest.raises(Unanswered, match="broke off"),
    ):
        client.ask("/v1/completions", {"prompt": PROMPT})
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"a":' * 100_000, b"9" * 5000, b"", b"<html>", b"\xff\xfe", b"NaN" * 9],
    ids=range(7),
)
def test_an_answer_that_is_no_json_is_no_fault(body: bytes) -> None:
    with pytest.raises(Unanswered, match="not JSON"):
        asked(say(body))
    with pytest.raises(Refused):
        asked(say(body, 400))


def test_an_error_that_repeats_the_prompt_is_not_repeated() -> None:
    body = json.dumps({"error": {"message": f"bad prompt: {PROMPT}"}}).encode()
    with pytest.raises(Refused) as raised:
        asked(say(body, 400))
    assert raised.value.said == "status 400"
    with pytest.raises(Refused, match="no such model"):
        asked(say(b'{"error": {"message": "no such model"}}', 400))


def completed(choice: dict[str, Any], usage: object = None, tokens: int = 8) -> Completion:
    body = json.dumps({"choices": [choice], "usage": usage, "data": [{"id": "m"}]}).encode()
    with serving(say(body)) as url:
        engine = OpenAI("m", parse_endpoint(url), patience=Patience(2.0, 1), at_once=1)
        request = Request("1", "p", Sampling(max_tokens=tokens), (Sample(0, 1),))
        with closing(engine):
            (done,) = engine.generate([request])
    return done


@pytest.mark.parametrize("usage", [10**30, 1 << 63, -5, True, 1.5, "9", [1], None])
def test_counts_that_cannot_be_are_none(usage: object) -> None:
    told = {"prompt_tokens": usage, "completion_tokens": usage}
    done = completed({"text": "x"}, told)
    assert (done.prompt_tokens, done.completion_tokens) == (0, 0)
    assert completed({"text": "x"}, usage).finish_reason in ("stop", "failed")


def test_an_answer_far_beyond_its_limit_is_cut_and_said_to_be() -> None:
    done = completed({"text": "word " * 4_000_000, "finish_reason": "stop"})
    assert len(done.text) < 10_000
    assert done.finish_reason == "length"


@pytest.mark.parametrize("length", [10**30, -1, True, "9", None])
def test_a_context_that_cannot_be_is_not_believed(length: object) -> None:
    body = json.dumps({"data": [{"id": "m", "max_model_len": length}]}).encode()
    with serving(say(body)) as url, closing(OpenAI("m", parse_endpoint(url))) as engine:
        assert engine.context_length == 2048


@pytest.mark.timeout(60)
def test_a_million_models_are_listed_in_no_time_and_few_words() -> None:
    body = json.dumps({"data": [{"id": f"x{i}"} for i in range(300_000)]}).encode()
    with serving(say(body)) as url, pytest.raises(UsageError) as raised:
        OpenAI("m", parse_endpoint(url))
    assert len(str(raised.value)) < 2000


def test_models_of_wrong_types_are_passed_over() -> None:
    listed = [{"id": None}, 5, {"id": ["m"]}, {"id": "m", "meta": 5}]
    with serving(say(json.dumps({"data": listed}).encode())) as url:
        OpenAI("m", parse_endpoint(url)).close()
    for body in (b"[" * 200_000, b'{"error":' + b"[" * 100_000):
        with serving(say(body, 404)) as url, suppress(BackendError):
            OpenAI("m", parse_endpoint(url)).close()
