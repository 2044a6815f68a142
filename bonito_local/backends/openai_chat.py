"""Chats with a server, in the dialects of llama-server, vLLM and Ollama.

The server applies its model's chat template, so a request carries messages, and an answer cannot be
begun for the model. Where the model thinks, its thought comes apart from the answer, or in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bonito_local.backends.base import Framed, Line, Lines
from bonito_local.backends.batching import cut_at_stop
from bonito_local.backends.thoughts import MARKS, split, without_lead

PROBE = Framed("", "Say yes.", "", before=(("system", "Answer with one word."),))
PROBE_SHAPE = Lines((Line("Word", ("yes", "no")),))
PROBE_TOKENS = 16  # enough to see whether a thought comes first
OLLAMA, _VLLM = "library", "vllm"  # who owns their models, as they say
# Where a thought is, apart from the answer.
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
# Variables of chat templates: llama-server and vLLM hand them on.
_TEMPLATE = {"enable_thinking": False, "thinking": False}
_MOST_WORDS = 80  # of a sentence; what is longer is no span
_LOW = "low"  # gpt-oss knows no less


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server takes chats.

    Attributes:
        extras: fields beyond the API's, which switch thinking off.
        held: how completions are kept to their lines, if they are.
        folded: the template has no system message: the text goes into the user's first.
        thinks: the model thinks all the same.
    """

    extras: Mapping[str, Any] = field(default_factory=dict)
    held: Literal["", "grammar", "regex"] = ""
    folded: bool = False
    thinks: bool = False

    def body(self, prompt: Framed, shape: object = None) -> dict[str, Any]:
        """Return the fields of a request that are a chat's.

        A model that thinks is not kept to the lines of a `shape`: its thought has none.
        """
        messages = prompt.messages
        if self.folded and messages[0]["role"] == "system":
            system, first = messages[:2]
            content = f"{system['content']}\n\n{first['content']}"
            messages = [{"role": "user", "content": content}, *messages[2:]]
        return {"messages": messages, **self.extras, **self._lines(shape)}

    def _lines(self, shape: object) -> dict[str, Any]:
        if self.thinks or not isinstance(shape, Lines):
            return {}
        if self.held == "grammar":  # llama-server, llama-cpp-python
            return {"grammar": _grammar(shape)}
        if self.held == "regex":  # vLLM, under its new name and the old one
            regex = _regex(shape)
            return {"structured_outputs": {"regex": regex}, "guided_regex": regex}
        return {}


def manners(model: str, owner: str) -> Iterator[Manner]:
    """Yield how a server may take chats, the likeliest first.

    A server may refuse fields that it does not know, or a template a system message.
    """
    extras = _switched_off(model, owner)
    for folded in (False, True):
        if owner != OLLAMA:
            yield Manner(extras, "regex" if owner == _VLLM else "grammar", folded)
        yield Manner(extras, "", folded)
        yield Manner({}, "", folded)


def _grammar(shape: Lines) -> str:
    """Return what an answer of these lines looks like, in llama.cpp's notation."""
    rules = [r"text ::= [^ \n] [^\n]*"]
    lines = []
    for at, line in enumerate(shape.lines):
        words = (line.span_of or "").split()
        held = "text"
        if line.choices:
            held = f"({' | '.join(map(_quoted, line.choices))})"
        elif 0 < len(words) <= _MOST_WORDS:
            # Each word may end the span, or the next one follows.
            names = [f"w{at}-{place}" for place in range(len(words))]
            held = f"({' | '.join(names)})"
            rules += [
                f"{name} ::= {_quoted(word)}" + (f' (" " {following})?' if following else "")
                for name, word, following in zip(names, words, [*names[1:], ""], strict=True)
            ]
        lines.append(f"{_quoted(f'{line.name}: ')} {held}")
    root = f" {_quoted(chr(10))} ".join(lines)
    return "\n".join([f"root ::= {root}", *rules, ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _regex(shape: Lines) -> str:
    def text(line: Line) -> str:
        return f"({'|'.join(map(re.escape, line.choices))})" if line.choices else r"[^ \n][^\n]*"

    return r"\n".join(f"{re.escape(line.name)}: {text(line)}" for line in shape.lines)


def _switched_off(model: str, owner: str) -> dict[str, Any]:
    effort = _LOW if "gpt-oss" in model.lower() else ""
    if owner == OLLAMA:
        return {"reasoning_effort": effort or "none"}
    variables = {**_TEMPLATE, **({"reasoning_effort": effort} if effort else {})}
    return {
        "chat_template_kwargs": variables,
        **({"reasoning_effort": effort} if effort else {}),
    }


def content_of(choice: Any) -> str | None:
    """Return what a chat's choice says, with its thought if that stands there; None if nothing."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return None
    content = message.get("content")
    if content is None and any(isinstance(message.get(name), str) for name in _THOUGHTS):
        return ""  # the thought took all the room
    return content if isinstance(content, str) else None


def thinks(choice: Any) -> bool:
    """Return whether a chat's answer came with a thought, or begins with one."""
    message = choice["message"]
    if any(message.get(name) for name in _THOUGHTS):
        return True
    content = message.get("content") or ""
    begins = any(content.lstrip().startswith(marks.begin) for marks in MARKS)
    return begins or bool(split(content).thought)


def answer_in(content: str, prompt: Framed, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Return what answers a prompt after its lead, and whether one of the stops ended it.

    Servers look for stops in thoughts too, so they are not told any.
    """
    answer = without_lead(split(content).answer, prompt.lead, asked=True)
    # The break before a first line ends nothing.
    cut = cut_at_stop(answer.lstrip(), stops)
    return (answer, False) if cut is None else (cut, True)
