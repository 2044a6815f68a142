"""Chat templates, rendered in a child process that a hostile one cannot get out of.

One child serves a process until it exits. A template that takes too long or too much memory, or
crashes, ends the child alone; the next template gets another one.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bonito_local.errors import ModelError, reason

if TYPE_CHECKING:
    from bonito_local.bounded import BoundedChild

Messages = Sequence[Mapping[str, str]]

_SECONDS = 2.0  # for one rendering; published templates take about a millisecond
_LONGEST_TEMPLATE = 1 << 20  # characters; published ones have up to 20,000
_LONGEST_REASON = 200


def render(template: str, messages: Messages, values: Mapping[str, object]) -> str:
    """Return a conversation in a chat template's form, with `values` for its variables.

    Raises:
        ModelError: the template cannot be used, or refuses the conversation.
    """
    if len(template) > _LONGEST_TEMPLATE:
        raise unusable(f"it is longer than {_LONGEST_TEMPLATE:,} characters")
    return _renderer.render(template, {"tools": None, "documents": None, **values}, messages)


def unusable(why: str) -> ModelError:
    """Return the error for a template that cannot be used."""
    line = "".join(why.strip().splitlines()[:1])
    shown = f"{line[:_LONGEST_REASON]}.." if len(line) > _LONGEST_REASON else line.rstrip(".")
    return ModelError(
        f"The model's chat template cannot be used: {shown}.",
        "Use another model, or convert this one again.",
    )


class _Renderer:
    """The child of this process; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: BoundedChild | None = None
        self._refused: dict[str, str] = {}  # why, by the template: it is not tried again

    def render(self, template: str, values: Mapping[str, object], messages: Messages) -> str:
        """Have the child render, or refuse a template that ended a child before."""
        from bonito_local.bounded import RefusedError

        request = {"template": template, "values": {**values, "messages": [*messages]}}
        with self._lock:
            if why := self._refused.get(template):
                raise unusable(why)
            try:
                answer = self._ask(request)
            except RefusedError as error:
                self._refused[template] = str(error)
                raise unusable(str(error)) from error
        match answer:
            case {"text": str(text)}:
                return text
            case {"error": str(why)}:
                raise unusable(why)
        raise unusable("its process answered something else")

    def _ask(self, request: Mapping[str, object]) -> object:
        from bonito_local.bounded import RefusedError

        begun = time.monotonic()
        try:
            return self._ask_once(request)
        except RefusedError:
            if time.monotonic() - begun > _SECONDS / 2:
                raise
            # Not the template, maybe: on Linux a child ends with the thread that started it.
            return self._ask_once(request)

    def _ask_once(self, request: Mapping[str, object]) -> object:
        from bonito_local.bounded import RefusedError

        child = self._child or self._start()
        try:
            return child.ask(request)
        except RefusedError:
            raise
        except OSError as error:
            child.close()
            raise ModelError(
                f"The process that renders chat templates does not run: {reason(error)}.",
                "Close other programs, or raise the limits of processes and open files.",
            ) from error
        except BaseException:
            child.close()  # an interrupted answer must not be taken for the next one's
            raise

    def _start(self) -> BoundedChild:
        from bonito_local.bounded import BoundedChild

        self._child = BoundedChild("bonito_local.writing.apart", _SECONDS)
        atexit.register(self._child.close)
        return self._child


_renderer = _Renderer()
