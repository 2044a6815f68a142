"""The openai backend against a real model server: llama-cpp-python's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from socket import socket

import pytest
from asking import GREEDY, ask, text_of
from one_by_one import Reference
from tiny_model import write_tiny_gguf

from bonito_local.backends.base import EngineOptions, Line, Lines, Sampling
from bonito_local.backends.endpoint import parse_endpoint
from bonito_local.backends.openai_api import OpenAI
from bonito_local.errors import UsageError
from bonito_local.jobs.generate import Front, generate
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.prompts import writer_of
from bonito_local.tasks import CONTEXT, TaskType, task_type
from bonito_local.writing.chat import frame, plain_frame
from bonito_local.writing.instruct import InstructWriter

TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)


@contextmanager
def listening(model: Path, log: Path) -> Iterator[str]:
    """Run llama-cpp-python's server; yield its address."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "512", "--n_threads", "1"]
    with log.open("wb") as said:
        process = subprocess.Popen([*command, *options], stdout=said, stderr=said)
    deadline = time.monotonic() + 120
    while True:
        with closing(socket()) as tried:
            if not tried.connect_ex(("127.0.0.1", port)):
                break
        assert time.monotonic() < deadline, log.read_text()
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def url(tiny_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(tiny_gguf, tmp_path_factory.mktemp("server") / "log") as found:
        yield found


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("chat")
    said = {"tokenizer.chat_template": TEMPLATE}
    model = write_tiny_gguf(folder / "chatty.gguf", metadata=said)
    with listening(model, folder / "log") as found:
        yield model, found


def test_it_draws_what_llamacpp_draws(url: str, tiny_gguf: Path) -> None:
    prompts = {str(i): text_of(i, 4 + i) for i in range(6)}
    with (
        closing(OpenAI(tiny_gguf.name, parse_endpoint(url), at_once=4)) as engine,
        closing(Reference(tiny_gguf)) as plain,
    ):
        done = list(engine.generate(ask(name, prompt) for name, prompt in prompts.items()))
        assert len(done) == 6
        for completion in done:
            prompt = prompts[completion.request_id]
            assert plain.greedy(prompt, GREEDY.max_tokens).agrees(completion.text)
            assert completion.prompt_tokens == len(plain.model.prompt(prompt))
            assert 0 < completion.completion_tokens <= GREEDY.max_tokens


def test_a_prompt_too_long_fails_alone(url: str, tiny_gguf: Path) -> None:
    with closing(OpenAI(tiny_gguf.name, parse_endpoint(url))) as engine:
        asked = [ask("long", "\u00e9" * 600), ask("short", text_of(1, 5))]
        done = {c.request_id: c for c in engine.generate(asked)}
    assert done["long"].finish_reason == "failed"
    assert "maximum context length" in done["long"].error
    assert done["short"].finish_reason != "failed"


def test_a_job_stops_and_goes_on(url: str, tiny_gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    for i in range(40):
        (tmp_path / "documents" / f"{i}.txt").write_text(f"Lease {i}. {text_of(i, 20)}.")
    wanted = Generation(
        (tmp_path / "documents",),
        (task_type("exqa"), task_type("ynqa")),
        tmp_path / "out",
        tiny_gguf.name,
        "auto",
        Sampling(n=4, max_tokens=32),
        passage_tokens=64,
        engine=EngineOptions(endpoint=url),
        prompt="bonito",
    )
    shown: list[Progress] = []
    first = generate(wanted, Front(shown.append, stop=lambda: bool(shown) and shown[-1].done >= 3))
    assert first.stopped
    assert 3 <= first.ledger.planned - first.ledger.pending < first.ledger.planned
    second = generate(wanted)
    assert (second.ended, second.ledger.pending) == ("finished", 0)
    assert second.ledger.planned == first.ledger.planned >= 320
    card = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert sum(card["outcomes"].values()) == second.ledger.planned


def test_a_name_that_the_server_lacks(url: str) -> None:
    with pytest.raises(UsageError, match="has no model 'bonito'"):
        OpenAI("bonito", parse_endpoint(url))


def test_a_chat_is_what_the_models_template_makes_of_it(chatty: tuple[Path, str]) -> None:
    path, url = chatty
    turns = ((text_of(1, 5), text_of(2, 3)),)
    asked = [text_of(i, 4 + i) for i in range(4)]
    ours = frame(TEMPLATE, "Be brief.", turns, {"bos_token": "<s>", "eos_token": "</s>"})
    theirs = plain_frame("Be brief.", turns)
    with (
        closing(OpenAI(path.name, parse_endpoint(url))) as engine,
        closing(Reference(path)) as plain,
    ):
        engine.probe()
        assert engine.metadata["server.chat"] is True
        requests = [ask(text, theirs.around(text)) for text in asked]
        for done in engine.generate(requests):
            prompt = ours.around(done.request_id)
            assert plain.greedy(prompt, GREEDY.max_tokens).agrees(done.text)
            assert done.prompt_tokens == len(plain.model.prompt(prompt))


def test_a_chat_is_kept_to_its_lines(chatty: tuple[Path, str]) -> None:
    path, url = chatty
    shape = Lines((Line("Sure", ("yes", "no")), Line("Why", ("said", "not said"))))
    prompt = plain_frame("Be brief.", ()).around(text_of(1, 9), "Sure:")
    with closing(OpenAI(path.name, parse_endpoint(url))) as engine:
        engine.probe()
        (done,) = engine.generate([replace(ask("r", prompt), shape=shape)])
        assert re.fullmatch(r" (yes|no)\nWhy: (not )?said", done.text)
        spans = Lines((Line("Sure", span_of='the "fire" in\n1. warehouse'),))
        (done,) = engine.generate([replace(ask("r", prompt), shape=spans)])
    assert done.finish_reason == "stop"
    assert done.text.strip()
    assert done.text in ' the "fire" in 1. warehouse'


def test_a_job_of_a_model_that_follows_instructions(
    chatty: tuple[Path, str], tmp_path: Path
) -> None:
    path, url = chatty
    (tmp_path / "a.txt").write_text("Either party may end the agreement by thirty days' notice.")
    tone = TaskType(
        *("tone", "tone of a text", "how it sounds", "How?", "good"),
        templates=(f"{CONTEXT}\n\nHow does it sound?",),
    )
    wanted = Generation(
        (tmp_path / "a.txt",),
        (tone,),
        tmp_path / "out",
        path.name,
        "auto",
        Sampling(n=4, max_tokens=12),
        passage_tokens=64,
        engine=EngineOptions(endpoint=url),
    )
    found = generate(wanted)
    assert (found.ended, found.ledger.pending, found.ledger.planned) == ("finished", 0, 4)
    assert json.loads((tmp_path / "out" / "ledger.json").read_text())["outcomes"]["failed"] == 0
    with closing(OpenAI(path.name, parse_endpoint(url))) as engine:
        engine.probe()
        assert isinstance(writer_of("auto", engine.metadata), InstructWriter)
