"""Chat templates, rendered by the rules of transformers.

Templates are written for transformers, so its environment is theirs: the tags, filters and
functions below, and whitespace trimmed around blocks. A template comes with a model and is not
trusted: it runs in Jinja's sandbox.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bonito_local.errors import ModelError

if TYPE_CHECKING:
    from jinja2 import Template

Messages = Sequence[Mapping[str, str]]


def render(template: str, messages: Messages, values: Mapping[str, object]) -> str:
    """Return a conversation in a chat template's form, with `values` for its variables.

    Raises:
        ModelError: the template cannot be used, or refuses the conversation.
    """
    from jinja2 import TemplateError

    given = {"tools": None, "documents": None, **values}
    try:
        return _compiled(template).render(messages=messages, **given)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise unusable(str(error) or type(error).__name__) from error


def unusable(why: str) -> ModelError:
    """Return the error for a template that cannot be used."""
    return ModelError(
        f"The model's chat template cannot be used: {why.splitlines()[0]}.",
        "Use another model, or convert this one again.",
    )


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    from jinja2 import nodes
    from jinja2.exceptions import SecurityError, TemplateError
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.utils import Namespace

    class Generation(Extension):
        """`{% generation %}` marks what a model is trained on. It shows its body as it is."""

        tags = {"generation"}  # noqa: RUF012 - Jinja declares it so

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            # A variable that is set in the block ends with it.
            return nodes.Scope(body).set_lineno(line)

    class PlainNamespace(Namespace):
        """A namespace without names of Python's internals."""

        def __setitem__(self, name: str, value: object) -> None:
            _check(name)
            super().__setitem__(name, value)

    def _check(name: str) -> None:
        if name.startswith("_"):
            raise SecurityError(f"a namespace may not hold {name!r}")

    def namespace(*pairs: Any, **named: Any) -> Namespace:
        values = dict(*pairs, **named)
        for name in values:
            _check(name)
        return PlainNamespace(values)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=refuse,
        strftime_now=_now,
        namespace=namespace,
        dict=lambda *pairs, **named: dict(*pairs, **named),
    )
    return environment.from_string(template)


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON as models are shown it: letters as they are, no HTML escapes."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _now(pattern: str) -> str:
    """Return the time here, in a pattern of strftime."""
    return datetime.now().astimezone().strftime(pattern)
