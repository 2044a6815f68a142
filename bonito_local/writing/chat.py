"""Chat templates: what stands around a user's message, rendered as transformers renders them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bonito_local.errors import ModelError

_PLACE = "\ue000message\ue000"  # no template changes these


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chat template puts before and after the user's message."""

    head: str = ""
    tail: str = ""


def frame(template: str, system: str = "") -> Frame:
    """Render a chat template around one user's message, after a system message.

    Where the template has no place for a system message, the text goes before the user's.

    Raises:
        ModelError: the template cannot be used.
    """
    user = {"role": "user", "content": _PLACE}
    if system:
        try:
            text = _render(template, [{"role": "system", "content": system}, user])
            if system in text and text.count(_PLACE) == 1:
                return _parted(text)
        except ModelError:
            pass
        user = {"role": "user", "content": f"{system}\n\n{_PLACE}"}
    text = _render(template, [user])
    if text.count(_PLACE) != 1:
        raise _unusable("it does not hold the message once")
    return _parted(text)


def _parted(text: str) -> Frame:
    head, _, tail = text.partition(_PLACE)
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
