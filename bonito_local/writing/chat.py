"""Chat templates: what stands around a user's message, and what ends the answer to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bonito_local.backends.base import Framed
from bonito_local.errors import ModelError
from bonito_local.writing import thinking
from bonito_local.writing.rendering import render, unusable

# No template changes these: a message, an answer to it, and a message after that.
_PLACE, _ANSWER, _NEXT = "\ue000message\ue000", "\ue001answer\ue001", "\ue002next\ue002"
# The name of a special token: <|im_end|>, </s>, <end_of_turn>, [INST].
_TOKEN = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Z_]{2,30}\]")


Turns = Sequence[tuple[str, str]]  # what a user asks, and the answer
Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chat template puts before and after the user's message.

    Attributes:
        stops: what the template puts after an answer, of which each ends one.
        before: where a server applies the template, the messages before the user's, by role and
            content.
    """

    head: str = ""
    tail: str = ""
    stops: tuple[str, ...] = ()
    before: tuple[tuple[str, str], ...] = ()

    def around(self, text: str, lead: str = "", plainly: str = "") -> Framed:
        """Return a prompt that asks `text`, with the answer begun with `lead`.

        `plainly` stands between both where there is no template.
        """
        tail = (self.tail or plainly) + lead
        return Framed(self.head, text, tail, before=self.before, lead=lead)


def frame(
    template: str, system: str = "", turns: Turns = (), tokens: Mapping[str, str] | None = None
) -> Frame:
    """Render a chat template around a user's message, after a system message and earlier turns.

    Where the template has no place for a system message, the text goes before the first user's;
    where it has none for turns, there are none. Thinking is off, as far as the template can.
    `tokens` are the names of the model's special tokens by the template's variables for them.

    Raises:
        ModelError: the template cannot be used.
    """
    rendering = _Rendering(template, tokens or {})
    for folded in (False, True):
        for kept in (turns, ()):
            messages = _messages(system, kept, folded)
            try:
                text = rendering.prompt(messages)
            except ModelError:
                if not folded or kept:
                    continue
                raise
            if text.count(_PLACE) == 1 and all(part in text for part in (system, *sum(kept, ()))):
                return rendering.frame(messages)
    raise unusable("it does not hold the message once")


def turn_ends(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """Return what ends an answer by a model's chat template; nothing without a usable one."""
    template = str(metadata.get("tokenizer.chat_template", ""))
    try:
        return frame(template).stops if template else ()
    except ModelError:
        return ()


def plain_frame(system: str, turns: Turns) -> Frame:
    """Return what stands around a message to a model without a chat template: plain text."""
    said = [f"{asked}\n{answered}\n\n" for asked, answered in turns]
    before = [(message["role"], message["content"]) for message in _messages(system, turns, False)]
    head = f"{system}\n\n{''.join(said)}" if system or turns else ""
    return Frame(head, "\n", before=tuple(before[:-1]))


class _Rendering:
    """A template with thinking off."""

    def __init__(self, template: str, tokens: Mapping[str, str]) -> None:
        self._template = template
        self._tokens = {"bos_token": "", "eos_token": "", **tokens}
        self._off = thinking.switches(template)

    def frame(self, messages: Messages) -> Frame:
        """Return what stands around the last message."""
        switched = self._switched(messages)
        if not switched and (flag := thinking.flag(self._template)):
            messages, switched = self._flagged(messages, flag)
        head, _, tail = self.prompt(messages).partition(_PLACE)
        begun, stops = self._answered(messages)
        tail = thinking.close(tail, self._template, begun, switched)
        return Frame(head, tail, stops)

    def prompt(self, messages: Messages) -> str:
        """Return the text after which the model answers."""
        return self._render(messages, self._off)

    def _render(self, messages: Messages, values: Mapping[str, object], asks: bool = True) -> str:
        given = {**self._tokens, **values, "add_generation_prompt": asks}
        return render(self._template, messages, given)

    def _switched(self, messages: Messages) -> bool:
        """Return whether the template has a switch for thinking: its text changes with it."""
        on = thinking.switches(self._template, on=True)
        for some in (messages, messages[-1:]):
            try:
                if self._render(some, on) != self._render(some, self._off):
                    return True
            except ModelError:
                continue
        return False

    def _flagged(self, messages: Messages, flag: str) -> tuple[Messages, bool]:
        """Return the messages with a switch in the system message, if it changes the text."""
        has_system = messages[0]["role"] == "system"
        said = f"{messages[0]['content']}\n{flag}" if has_system else flag
        flagged = [{"role": "system", "content": said}, *messages[has_system:]]
        try:
            changed = self.prompt(flagged).partition(_PLACE)[2]
            if changed != self.prompt(messages).partition(_PLACE)[2]:
                return flagged, True
        except ModelError:
            pass  # The template takes no system message.
        return messages, False

    def _answered(self, messages: Messages) -> tuple[str, tuple[str, ...]]:
        """Return what stands before an answer, and what can end it."""
        answer = {"role": "assistant", "content": _ANSWER}
        after = {"role": "user", "content": _NEXT}
        begun, ends = "", []
        # The last answer may end otherwise than one before a message.
        for following in ([after], []):
            try:
                text = self._render([*messages, answer, *following], self._off, bool(following))
            except ModelError:
                continue
            asked, _, rest = text.partition(_ANSWER)
            if rest or following:
                ends.append(_ending(rest.partition(_NEXT)[0]))
            begun = begun or asked.partition(_PLACE)[2]
        return begun, tuple(dict.fromkeys(filter(None, ends)))


def _ending(text: str) -> str:
    """Return the stop in what follows an answer: a special token's name, or its first line."""
    text = text.strip()
    if token := _TOKEN.match(text):
        return token[0]
    line = text.partition("\n")[0]
    return "" if line.isalnum() else line


def _messages(system: str, turns: Turns, folded: bool) -> Messages:
    asked = [*(asked for asked, _ in turns), _PLACE]
    answered = [answered for _, answered in turns]
    messages = []
    if system and folded:
        asked[0] = f"{system}\n\n{asked[0]}"
    elif system:
        messages.append({"role": "system", "content": system})
    for place, text in enumerate(asked):
        messages.append({"role": "user", "content": text})
        if place < len(answered):
            messages.append({"role": "assistant", "content": answered[place]})
    return messages
