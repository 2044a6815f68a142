"""Chats with servers: the dialects of llama-server, vLLM and Ollama, over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from served import Served, serving

from bonito_local.backends.base import (
    Completion,
    Framed,
    Line,
    Lines,
    Plan,
    Request,
    Sample,
    Sampling,
)
from bonito_local.backends.endpoint import parse_endpoint
from bonito_local.backends.http_json import Patience
from bonito_local.backends.openai_api import OpenAI
from bonito_local.backends.openai_chat import PROBE_TOKENS, content_of
from bonito_local.errors import BackendError
from bonito_local.jobs.prompts import BONITO, writer_of
from bonito_local.tasks import task_type
from bonito_local.writing.instruct import InstructWriter
from bonito_local.writing.writer import Assignment

QUICK = Patience(seconds=5, attempts=2, pause=0.02)
BEFORE = (("system", "Be brief."), ("user", "Ask."), ("assistant", "Said."))
PROMPT = Framed("", "When?", "\nAnswer:", before=BEFORE, lead="Answer:")
REGEX = r"""Question: [^ \n][^\n]*\nAnswer: (yes|a\ "b")"""
LLAMA = {"id": "/models/qwen3-4b.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 4096}}
VLLM = {"id": "qwen", "owned_by": "vllm", "max_model_len": 8192, "root": "Qwen/Qwen3-4B"}
OLLAMA = {"id": "qwen3:4b", "owned_by": "library"}


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(Served(models=[LLAMA], chat=lambda _: {"content": "Answer: on Monday"})) as served:
        yield served


def opened(served: Served) -> OpenAI:
    engine = OpenAI(served.models[0]["id"], parse_endpoint(served.url), patience=QUICK)
    engine.probe()
    return engine


def asked(served: Served, prompt: str = PROMPT, **sampling: Any) -> Completion:
    with closing(opened(served)) as engine:
        (done,) = engine.generate([Request("r", prompt, Sampling(**sampling), (Sample(0, 5),))])
    return done


def test_a_prompt_with_a_frame_is_a_chat(server: Served) -> None:
    done = asked(server, stop=("\n",), temperature=0.3)
    assert (done.text.strip(), done.finish_reason) == ("on Monday", "stop")
    assert (done.prompt_tokens, done.completion_tokens) == (7, 3)
    probe, body = server.chats
    assert probe["max_tokens"] == PROBE_TOKENS
    assert [said["role"] for said in body["messages"]] == "system user assistant user".split()
    assert [said["content"] for said in body["messages"]] == ["Be brief.", "Ask.", "Said.", "When?"]
    assert (body["seed"], body["temperature"], body["max_tokens"]) == (5, 0.3, 256)
    assert "prompt" not in body
    assert "stop" not in body  # it would end a thought
    assert server.asked == []


@pytest.mark.parametrize("choice", ["text", 5, None, [], {}, {"message": "text"}])
def test_a_choice_without_a_message_says_nothing(choice: object) -> None:
    assert content_of(choice) is None


@pytest.mark.parametrize(
    ("listed", "extras"),
    [
        (LLAMA, {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        (VLLM, {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        (OLLAMA, {"reasoning_effort": "none"}),
        ({**OLLAMA, "id": "gpt-oss:20b"}, {"reasoning_effort": "low"}),
        (
            {**VLLM, "id": "openai/gpt-oss-20b"},
            {
                "reasoning_effort": "low",
                "chat_template_kwargs": {
                    "enable_thinking": False,
                    "thinking": False,
                    "reasoning_effort": "low",
                },
            },
        ),
    ],
)
def test_thinking_is_switched_off_as_the_server_takes_it(
    server: Served, listed: dict[str, Any], extras: dict[str, Any]
) -> None:
    server.models = [listed]
    asked(server)
    for body in server.chats:
        switches = ("reasoning_effort", "chat_template_kwargs")
        assert {name: body[name] for name in switches if name in body} == extras


SHAPE = Lines((Line("Question"), Line("Answer", ("yes", 'a "b"'))))


@pytest.mark.parametrize(
    ("listed", "fields"),
    [
        (
            LLAMA,
            {
                "grammar": 'root ::= "Question: " text "\\n" "Answer: " ("yes" | "a \\"b\\"")\n'
                "text ::= [^ \\n] [^\\n]*\n"
            },
        ),
        (VLLM, {"structured_outputs": {"regex": REGEX}, "guided_regex": REGEX}),
        (OLLAMA, {}),
    ],
)
def test_answers_are_kept_to_their_lines_as_the_server_can(
    server: Served, listed: dict[str, Any], fields: dict[str, Any]
) -> None:
    server.models = [listed]
    names = ("grammar", "structured_outputs", "guided_regex")
    with closing(opened(server)) as engine:
        list(engine.generate([replace(ask_of(PROMPT), shape=SHAPE), ask_of(PROMPT)]))
    held = [{name: body[name] for name in names if name in body} for body in server.chats]
    assert fields in held[1:]
    assert {} in held[1:]
    assert re.fullmatch(REGEX, 'Question: Why?\nAnswer: a "b"')
    assert not re.fullmatch(REGEX, "Question: Why?\nAnswer: no")


@pytest.mark.parametrize(
    "message",
    [
        {"content": "<think>\nAnswer: perhaps\nSunday\n</think>\n\nAnswer: on Monday\nAsk: x"},
        {"content": "on Monday", "reasoning_content": "They ask when."},
        {"content": "Sure.\n\n**Answer:** on Monday", "reasoning": "They ask when."},
        {"content": "[THINK]When?[/THINK]on Monday"},
        {"content": "\n\non Monday\n", "thinking": "They ask when."},
    ],
)
def test_thoughts_are_no_part_of_an_answer_and_have_room_of_their_own(
    server: Served, message: dict[str, Any]
) -> None:
    server.chat = lambda _: message
    done = asked(server, stop=("\n",))
    assert done.text.strip() == "on Monday"
    assert server.chats[-1]["max_tokens"] == 256 + 1024
    with closing(opened(server)) as engine:
        assert engine.context_length == 4096 - 1024


def test_a_thought_that_takes_all_the_room_leaves_no_answer(server: Served) -> None:
    server.chat = lambda _: {"content": None, "reasoning_content": "They ask"}
    assert (asked(server).text, asked(server).finish_reason) == ("", "stop")


def refuses(field: str) -> Callable[[dict[str, Any]], Any]:
    return lambda body: 400 if field in str(body) else {"content": "on Monday"}


@pytest.mark.parametrize(
    ("field", "roles"),
    [
        ("grammar", ["system", "user", "assistant", "user"]),
        ("chat_template_kwargs", ["system", "user", "assistant", "user"]),
        ("'system'", ["user", "assistant", "user"]),
    ],
)
def test_what_a_server_or_its_template_refuses_is_left_out(
    server: Served, field: str, roles: list[str]
) -> None:
    server.chat = refuses(field)
    assert asked(server).text == "on Monday"
    messages = server.chats[-1]["messages"]
    assert [said["role"] for said in messages] == roles
    assert (messages[0]["content"] == "Be brief.\n\nAsk.") == (roles[0] == "user")


@pytest.mark.parametrize("listed", [LLAMA, VLLM, OLLAMA])
def test_a_model_is_asked_as_its_name_says(server: Served, listed: dict[str, Any]) -> None:
    server.models = [listed]
    with closing(opened(server)) as engine:
        writer = writer_of("auto", engine.metadata)
    assert isinstance(writer, InstructWriter)
    ask = writer.ask(Assignment(task_type("qa"), "Rent is due on the first day."))
    assert isinstance(ask.prompt, Framed)
    assert [said["role"] for said in ask.prompt.messages[:3]] == ["system", "user", "assistant"]
    assert ask.prompt.messages[-1]["content"].startswith("Text:\nRent is due")
    assert ask.prompt.lead == "Question:"


@pytest.mark.parametrize(
    ("listed", "shown"),
    [
        ({"id": "bonito-v1"}, {}),
        ({"id": "default", "root": "BatsResearch/bonito-v1"}, {}),
        ({"id": "gpt-3.5-turbo"}, {"/props": {"model_path": "/m/bonito-v1-Q4.gguf"}}),
        (OLLAMA, {"/api/show": {"model_info": {"bonito.task_types": "exqa,qa"}}}),
    ],
)
def test_a_bonito_model_completes_texts(
    server: Served, listed: dict[str, Any], shown: dict[str, Any]
) -> None:
    server.models, server.shown = [listed], shown
    with closing(opened(server)) as engine:
        assert writer_of("auto", engine.metadata) is BONITO
        request = Request("r", "plain", Sampling(), (Sample(0, 5),))
        (done,) = engine.generate([request])
        assert done.text.startswith("What is said?")
        assert server.chats == []
        # Asked by instructions all the same, it chats.
        assert [one.text.strip() for one in engine.generate([ask_of(PROMPT)])] == ["on Monday"]
    assert len(server.asked) == 2


def test_a_folder_named_bonito_says_nothing_of_a_model(server: Served) -> None:
    server.shown = {"/props": {"model_path": "/home/bonito/qwen3.gguf"}}
    with closing(opened(server)) as engine:
        assert isinstance(writer_of("auto", engine.metadata), InstructWriter)


def test_ollama_tells_the_context_of_a_loaded_model(server: Served) -> None:
    loaded = [{"name": "other", "context_length": 9}, {"name": "qwen3:4b", "context_length": 4096}]
    server.models, server.shown = [OLLAMA], {"/api/ps": {"models": loaded}}
    with closing(opened(server)) as engine:
        assert engine.context_length == 4096
    server.shown = {"/api/ps": {"models": loaded[:1]}}
    with closing(opened(server)) as engine:
        assert engine.context_length == 2048


def ask_of(prompt: str) -> Request:
    return Request("r", prompt, Sampling(), (Sample(0, 5),))


def test_a_server_without_chats_completes_texts(server: Served) -> None:
    server.chat = None
    done = asked(server)
    assert done.text.startswith("What is said?")
    assert server.asked[-1]["prompt"] == str(PROMPT)
    with closing(opened(server)) as engine:
        assert writer_of("auto", engine.metadata) is BONITO


def test_a_server_that_does_neither_is_an_error_before_any_work(server: Served) -> None:
    server.chat = None
    server.faults = ["empty"]
    with pytest.raises(BackendError, match="completes no texts") as caught:
        opened(server)
    assert "/v1/chat/completions" in caught.value.remedy


def test_an_error_that_repeats_a_message_is_not_shown(server: Served) -> None:
    secret = "the tenant pays nine hundred euros a month"
    server.chat = lambda body: 400 if secret in str(body) else {"content": "yes"}
    prompt = Framed("", secret, "", before=BEFORE)
    assert asked(server, prompt).error == "The server refused it: status 400: said why."
    from bonito_local.backends.http_json import _message

    told = f'{{"error": {{"message": "cannot read: {secret}"}}}}'.encode()
    assert _message(told, {"messages": [{"role": "user", "content": secret}]}) == ""
    assert _message(told, {"messages": []}) != ""


def test_plans_open_a_chat(server: Served) -> None:
    from bonito_local.backends.base import EngineOptions
    from bonito_local.backends.openai_api import open_planned

    plan = Plan(options=EngineOptions(endpoint=server.url))
    with closing(open_planned("qwen3-4b", plan)) as engine:  # type: ignore[arg-type]
        assert engine.metadata["server.chat"] is True
