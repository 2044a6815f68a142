"""Parsers of what tells how to ask a model, and of what servers answer."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from chat_templates import PUBLISHED
from fuzz.targets import Reader

PASSAGE = (
    "The rent of 900 euros is due on the first day of the month. The tenant owes interest of 5 % "
    "if a payment is more than ten days late. The landlord must return the deposit by 30 June."
)
_WRITTEN = (
    "When is the rent due?\nAnswer: on the first day\nWrong: never | today | in May",
    "The rent is due in May.",
    "",
)
_FILES = "\n# The next file.\n"


def chat_template(_folder: Path) -> tuple[bytes, Reader]:
    """A template of a published model, put around a conversation."""
    from bonito_local.writing.chat import frame, turn_ends

    def read(data: bytes) -> object:
        template = data.decode("utf-8", "replace")
        turn_ends({"tokenizer.chat_template": template})
        return frame(template, "Be brief.", (("Ask.", "Said."),), {"bos_token": "<s>"})

    return PUBLISHED["qwen3"].encode(), read


def prompts(folder: Path) -> tuple[bytes, Reader]:
    """A folder with prompts of the user's own, from which something is asked and written."""
    from bonito_local.backends.base import Completion
    from bonito_local.tasks import task_type
    from bonito_local.writing.chat import plain_frame
    from bonito_local.writing.instruct import InstructWriter
    from bonito_local.writing.promptset import package_prompts, read_prompts
    from bonito_local.writing.writer import Assignment

    own = folder / "prompts"
    own.mkdir()
    names = ("mcqa", "nli", "conversation")

    def read(data: bytes) -> object:
        texts = data.split(_FILES.encode())
        for name, part in zip(names, texts, strict=False):
            (own / f"{name}.toml").write_bytes(part)
        found = read_prompts(own)
        said = found.conversation
        writer = InstructWriter(writer=plain_frame(said.system, said.turns), prompts=found)
        for name in names[:2]:
            for sample in range(3):
                assignment = Assignment(task_type(name), PASSAGE, "Rent", sample, 3)
                writer.ask(assignment)
                for text in _WRITTEN:
                    done = Completion("1", sample, text, 1, 1, "stop")
                    writer.written(assignment, done)
                    writer.fault(assignment, done)
                    if claim := writer.claim(assignment, done):
                        writer.reread(assignment, claim)
        return None

    return _FILES.join(package_prompts().text(name) for name in names).encode(), read


def task_file(folder: Path) -> tuple[bytes, Reader]:
    """A task type of the user's own, which a job keeps and asks for."""
    from bonito_local.jobs.own_tasks import as_plain, from_plain, read_task, write_task
    from bonito_local.writing.instruct import InstructWriter
    from bonito_local.writing.writer import Assignment

    path, again = folder / "clause.toml", folder / "again" / "clause.toml"
    whole = (
        'name = "clause kinds"\nmeaning = "naming the kind of a clause"\n'
        'instructions = ["{{context}}\\n\\nWhich of {{labels}} is it?"]\nlabels = ["fee", "term"]\n'
        '[example]\ninstruction = "Which is it?"\nresponse = "fee"\n'
        '[checks]\nskip = ["asks nothing"]\nanswer_words = 12\nrepetition = 1.0\n'
    )

    def read(data: bytes) -> object:
        path.write_bytes(data)
        task = read_task(path)
        assert from_plain(json.loads(json.dumps(as_plain(task)))) == task
        write_task(task, again)
        assert read_task(again) == task
        return InstructWriter().ask(Assignment(task, PASSAGE))

    return whole.encode(), read


class _Answers:
    """Stands for the client of a server that answers every path with a part of one JSON text."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def ask(self, path: str, _body: object = None, attempts: int = 0) -> Any:
        from bonito_local.backends.http_json import Unanswered
        from bonito_local.shapes import ShapeError, parse

        with suppress(ShapeError):
            found = parse(self._data)
            if isinstance(found, dict) and path in found:
                return found[path]
        raise Unanswered("it answered with something that is not JSON", reached=True)

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


def talk(_folder: Path) -> tuple[bytes, Reader]:
    """All that a server says, from the list of its models to a chat's answer."""
    from bonito_local.backends import http_json, openai_api
    from bonito_local.backends.base import Request, Sample, Sampling
    from bonito_local.backends.endpoint import parse_endpoint
    from bonito_local.jobs.prompts import writer_of

    message = {"role": "assistant", "content": "yes", "reasoning_content": "Hm."}
    whole = {
        "/v1/models": {"data": [{"id": "m", "owned_by": "library", "meta": {"n_ctx_train": 512}}]},
        "/props": {"default_generation_settings": {"n_ctx": 512}, "model_path": "/x/m.gguf"},
        "/api/show": {"model_info": {"general.name": "m", "tokenizer.chat_template": "x"}},
        "/api/ps": {"models": [{"name": "m", "context_length": 256}]},
        "/tokenize": {"tokens": [1, 2, 3]},
        "/v1/chat/completions": {
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1},
            "error": {"message": "no"},
        },
        "/v1/completions": {"choices": [{"text": "x", "finish_reason": "length"}], "usage": None},
    }

    def read(data: bytes) -> object:
        http_json._message(data, {"prompt": "Why is the rent due on the first of a month?"})
        with patch.object(openai_api, "Client", lambda *_: _Answers(data)):
            engine = openai_api.OpenAI("m", parse_endpoint("http://127.0.0.1:1"))
            engine.probe()
            writer_of("auto", engine.metadata)
            engine.count_tokens("Count these.")
            request = Request("1", "p", Sampling(stop=("x",)), (Sample(0, 1), Sample(1, 2)))
            return list(engine.generate([request]))

    return json.dumps(whole).encode(), read
