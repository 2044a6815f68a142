"""Chat templates: what stands around a user's message, rendered as transformers renders them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bonito_local.errors import ModelError

_PLACE = "\ue000message\ue000"  # no template changes these


Turns = Sequence[tuple[str, str]]  # what a user asks, and the answer


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chat template puts before and after the user's message."""

    head: str = ""
    tail: str = ""


def frame(template: str, system: str = "", turns: Turns = ()) -> Frame:
    """Render a chat template around a user's message, after a system message and earlier turns.

    Where the template has no place for a system message, the text goes before the first user's;
    where it has none for turns, there are none.

    Raises:
        ModelError: the template cannot be used.
    """
    for folded in (False, True):
        for kept in (turns, ()):
            try:
                text = _render(template, _messages(system, kept, folded))
            except ModelError:
                if not folded or kept:
                    continue
                raise
            if text.count(_PLACE) == 1 and all(part in text for part in (system, *sum(kept, ()))):
                return _parted(text)
    raise _unusable("it does not hold the message once")


def plain_frame(system: str, turns: Turns) -> Frame:
    """Return what stands around a message to a model without a chat template: plain text."""
    said = [f"{asked}\n{answered}\n\n" for asked, answered in turns]
    return Frame(f"{system}\n\n{''.join(said)}", "\n")


def _messages(system: str, turns: Turns, folded: bool) -> list[dict[str, str]]:
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


def _parted(text: str) -> Frame:
    head, _, tail = text.partition(_PLACE)
    if tail.endswith("<|start|>assistant"):  # Harmony: an answer without a thought
        tail += "<|channel|>final<|message|>"
    return Frame(head, tail)


def _render(template: str, messages: list[dict[str, str]]) -> str:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    values: dict[str, Any] = {
        "add_generation_prompt": True,
        "enable_thinking": False,  # Qwen3's and others' switch
        "bos_token": "",  # the engine puts it there
        "eos_token": "",
    }
    environment.globals["raise_exception"] = refuse
    try:
        return environment.from_string(template).render(messages=messages, **values)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise _unusable(str(error) or type(error).__name__) from error


def _unusable(why: str) -> ModelError:
    return ModelError(
        f"The model's chat template cannot be used: {why.splitlines()[0]}.",
        "Use another model, or convert this one again.",
    )
