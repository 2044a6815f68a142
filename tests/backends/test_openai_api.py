"""The openai backend against a real HTTP server with faults."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from served import Served, serving

from bonito_local.backends.base import Completion, EngineOptions, Plan, Request, Sample, Sampling
from bonito_local.backends.endpoint import Endpoint, check_reachable, parse_endpoint
from bonito_local.backends.http_json import Patience
from bonito_local.backends.openai_api import OpenAI
from bonito_local.backends.registry import open_backend
from bonito_local.errors import BackendError, UsageError

QUICK = Patience(seconds=0.5, attempts=4, pause=0.02, longest=1.2)
PROMPT = "either party may end this agreement by notice"


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(Served()) as served:
        yield served


def backend(served: Served, patience: Patience = QUICK, at_once: int = 4) -> OpenAI:
    return OpenAI("bonito", parse_endpoint(served.url), patience=patience, at_once=at_once)


def ask(name: str, prompt: str = PROMPT, n: int = 1, **sampling: object) -> Request:
    samples = tuple(Sample(i, 1000 + i) for i in range(n))
    return Request(name, prompt, Sampling(n, **sampling), samples)  # type: ignore[arg-type]


def complete(engine: OpenAI, requests: Iterator[Request] | list[Request]) -> list[Completion]:
    with closing(engine):
        return list(engine.generate(requests))


def test_every_sample_is_asked_once_with_its_seed_and_settings(server: Served) -> None:
    requests = [ask(str(i), f"{i} {PROMPT}", n=3, temperature=0.7, stop=("§",)) for i in range(9)]
    done = complete(backend(server), requests)
    assert sorted((c.request_id, c.sample) for c in done) == sorted(
        (str(i), n) for i in range(9) for n in range(3)
    )
    assert {c.finish_reason for c in done} == {"stop"}
    assert {c.prompt_tokens for c in done} == {9}
    assert len(server.asked) == 27
    assert {body["seed"] for body in server.asked} == {1000, 1001, 1002}
    (settings,) = {
        (b["model"], b["max_tokens"], b["temperature"], b["top_p"], tuple(b["stop"]))
        for b in server.asked
    }
    assert settings == ("bonito", 256, 0.7, 0.95, ("§",))


def test_so_many_at_once_and_rows_as_they_come(server: Served) -> None:
    server.poisoned["late"] = "slow"
    server.slow, server.pause = 0.4, 0.02
    requests = [ask("late", "late"), *(ask(str(i)) for i in range(20))]
    done = complete(backend(server), requests)
    assert len(done) == 21
    assert [c.request_id for c in done].index("late") > 5
    assert 2 <= server.busiest <= 4


def test_no_more_is_pulled_than_is_asked(server: Served) -> None:
    pulled = []

    def requests() -> Iterator[Request]:
        for i in range(100):
            pulled.append(i)
            yield ask(str(i))

    engine = backend(server)
    running = engine.generate(requests())
    next(running)
    assert len(pulled) <= 5
    with pytest.raises(BackendError, match="generating already"):
        next(engine.generate([ask("r")]))
    running.close()  # type: ignore[attr-defined]
    assert [c.request_id for c in engine.generate([ask("r")])] == ["r"]
    engine.close()


@pytest.mark.parametrize(
    "fault", ["drop", "cut", "garbage", "slow", (500, {}), (503, {}), (429, {}), (408, {})]
)
def test_a_fault_that_passes_costs_nothing(
    server: Served, fault: str | tuple[int, dict[str, str]]
) -> None:
    server.faults = [fault, fault]
    (done,) = complete(backend(server), [ask("r")])
    assert (done.finish_reason, len(server.asked)) == ("stop", 3)
    assert done.text.startswith("What is said?")


def test_a_server_that_says_when_is_asked_then(server: Served) -> None:
    server.faults = [(429, {"Retry-After": "1"})]
    (done,) = complete(backend(server), [ask("r")])
    assert done.finish_reason == "stop"
    assert 1.0 <= server.times[1] - server.times[0] < 2.5


def test_each_pause_is_longer(server: Served) -> None:
    server.faults = [(503, {})] * 3
    complete(backend(server, Patience(attempts=4, pause=0.1)), [ask("r")])
    gaps = [b - a for a, b in zip(server.times, server.times[1:], strict=False)]
    assert gaps[0] >= 0.07
    assert gaps[1] >= 0.15
    assert gaps[2] >= 0.3


@pytest.mark.parametrize(
    ("fault", "why", "asked"),
    [
        ((400, {}), "The server refused it: status 400: said why.", 1),
        ((500, {}), "The server failed at it: status 500: said why.", 4),
        ("empty", "The server answered without a completion.", 1),
        ("garbage", "The server failed at it: it answered with something that is not JSON.", 4),
        ("slow", "The server failed at it: it did not answer within 0.5 seconds.", 4),
        ("drop", "The server failed at it: it broke off the connection.", 4),
    ],
)
def test_a_request_that_always_fails_fails_alone(
    server: Served, fault: str | tuple[int, dict[str, str]], why: str, asked: int
) -> None:
    server.poisoned["poison"] = fault
    requests = [ask(str(i), "poison" if i == 2 else PROMPT) for i in range(6)]
    done = {c.request_id: c for c in complete(backend(server), requests)}
    assert len(done) == 6
    assert (done["2"].finish_reason, done["2"].text, done["2"].error) == ("failed", "", why)
    assert {c.finish_reason for name, c in done.items() if name != "2"} == {"stop"}
    # A kept connection that breaks may have been closed as idle: one more try costs no attempt.
    again = fault in ("drop", "cut")
    assert 0 <= sum(body["prompt"] == "poison" for body in server.asked) - asked <= again


def test_a_server_that_fails_at_everything_ends_the_run(server: Served) -> None:
    server.poisoned[" "] = (500, {})
    pulled = []

    def requests() -> Iterator[Request]:
        for i in range(500):
            pulled.append(i)
            yield ask(str(i))

    with pytest.raises(BackendError, match=r"failed 8 times in a row; at last: .*said why"):
        complete(backend(server), requests())
    assert len(pulled) < 30


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_all_ends_the_run(server: Served, status: int) -> None:
    server.poisoned[" "] = (status, {})
    with pytest.raises(BackendError, match=f"refuses: status {status}: said why") as caught:
        complete(backend(server), [ask("r")])
    assert ("API_KEY" in caught.value.remedy) == (status != 404)


def test_a_key_is_sent_where_there_is_one(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    server.key = "secret"
    with pytest.raises(BackendError, match="status 401") as caught:
        backend(server)
    assert "BONITO_LOCAL_API_KEY" in caught.value.remedy
    monkeypatch.setenv("BONITO_LOCAL_API_KEY", "secret")
    assert len(complete(backend(server), [ask("r")])) == 1


def test_a_server_that_is_down_is_one_error_before_any_work() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(BackendError, match=r"No server answers at .*: nothing listens there"):
        open_backend(
            "openai",
            Path("bonito"),
            Plan(options=EngineOptions(endpoint=f"http://127.0.0.1:{port}/v1")),
        )
    assert time.monotonic() - started < 5


def test_a_server_that_goes_down_ends_the_run() -> None:
    with serving(Served(pause=0.05)) as server:
        engine = backend(server)
        running = engine.generate(ask(str(i)) for i in range(1000))
        next(running)
    with pytest.raises(BackendError, match="No server answers"):
        list(running)
    engine.close()


def test_a_wrong_model_is_an_error_before_any_work(server: Served) -> None:
    server.models = [{"id": "bonito-v1"}, {"id": "/models/other.gguf"}]
    endpoint = parse_endpoint(server.url)
    with pytest.raises(UsageError, match="has no model 'bonito-v2'") as caught:
        OpenAI("bonito-v2", endpoint, patience=QUICK)
    assert caught.value.remedy == "Did you mean 'bonito-v1'?"
    with closing(OpenAI("other", endpoint, patience=QUICK)) as found:
        assert found.model == "/models/other.gguf"
    server.models = []
    with closing(OpenAI("unlisted", endpoint, patience=QUICK)) as found:
        assert found.model == "unlisted"
    assert server.asked == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ((404, {}), "refuses: status 404: said why"),
        ((400, {}), "completes no texts. The server refused it: status 400: said why"),
        ("empty", "completes no texts. The server answered without a completion"),
    ],
)
def test_a_server_that_completes_nothing_is_an_error_before_any_work(
    server: Served, fault: str | tuple[int, dict[str, str]], told: str
) -> None:
    server.faults = [fault]
    plan = Plan(options=EngineOptions(endpoint=server.url))
    with pytest.raises(BackendError) as caught:
        open_backend("openai", Path("bonito"), plan)
    assert told in caught.value.title
    assert len(server.asked) == 1
    open_backend("openai", Path("bonito"), plan).close()


def test_a_server_that_still_loads_its_model_is_not_ready(server: Served) -> None:
    server.listing = 503
    with pytest.raises(BackendError, match="is not ready: status 503: loading"):
        backend(server)


def test_leaving_breaks_off_what_is_being_asked(server: Served) -> None:
    server.poisoned["slow"] = "slow"
    server.slow = 20.0
    engine = backend(server, Patience(seconds=60))
    running = engine.generate([ask("quick"), *(ask(str(i), "slow") for i in range(9))])
    assert next(running).request_id == "quick"
    started = time.monotonic()
    running.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 5
    engine.close()


def test_tokens_and_context_as_the_server_tells_else_a_cautious_guess(server: Served) -> None:
    with closing(backend(server)) as told:
        assert (told.count_tokens("one two three"), told.context_length) == (3, 2048)
    server.models = [{"id": "bonito", "max_model_len": 4096}]
    server.counts = False
    with closing(backend(server)) as guessed:
        assert (guessed.count_tokens("one two three"), guessed.context_length) == (5, 4096)


def test_what_comes_after_a_stop_string_is_cut(server: Served) -> None:
    (done,) = complete(backend(server), [ask("r", stop=("said",))])
    assert (done.text, done.finish_reason) == ("What is ", "stop")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8080", Endpoint("http", "127.0.0.1", 8080)),
        ("http://localhost:1234/v1/", Endpoint("http", "localhost", 1234)),
        ("https://gpu.lan/llm/v1", Endpoint("https", "gpu.lan", 443, "/llm")),
        ("http://[::1]:80", Endpoint("http", "::1", 80)),
    ],
)
def test_addresses(url: str, found: Endpoint) -> None:
    assert parse_endpoint(url) == found
    assert parse_endpoint(str(found)) == found


@pytest.mark.parametrize(
    ("url", "title", "remedy"),
    [
        ("http://host:port", "is no address", "http://"),
        ("http://host:99999", "is no address", "http://"),
        ("ftp://host:21", "is no address", "http://"),
        ("http://", "is no address", "http://"),
        ("http://me:secret@host:1", "more than an address", "BONITO_LOCAL_API_KEY"),
        ("http://host:1/v1?key=secret", "more than an address", "BONITO_LOCAL_API_KEY"),
        ("http://host:1/#v1", "more than an address", "BONITO_LOCAL_API_KEY"),
    ],
)
def test_what_is_no_address_and_secrets_in_one(url: str, title: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=title) as caught:
        parse_endpoint(url)
    assert remedy in caught.value.remedy
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://a:b@x", "http://x?q"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(url)


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)]
    + [(h, False) for h in ("10.0.0.5", "0.0.0.0", "127.0.0.1.example.com", "localhost.lan")],
)
def test_addresses_beyond_this_machine_need_a_flag(host: str, here: bool) -> None:
    endpoint = Endpoint("http", host, 80)
    check_reachable(endpoint, remote=True)
    if here:
        check_reachable(endpoint, remote=False)
    else:
        with pytest.raises(UsageError, match="your passages would leave it"):
            check_reachable(endpoint, remote=False)


def test_a_key_with_the_end_of_its_line_is_the_key(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = "secret"
    monkeypatch.setenv("BONITO_LOCAL_API_KEY", "secret\r\n")
    assert len(complete(backend(server), [ask("r")])) == 1
    monkeypatch.setenv("BONITO_LOCAL_API_KEY", "sec\nret")
    with pytest.raises(BackendError, match="holds what no key does") as caught:
        backend(server)
    assert "ret" not in str(caught.value).replace("BONITO_LOCAL_API_KEY", "")


def test_a_fault_of_our_own_ends_the_run(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = backend(server)
    monkeypatch.setattr(engine, "_read", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        complete(engine, [ask("r")])
