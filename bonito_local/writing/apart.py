"""The child process that renders chat templates, by the rules of transformers.

Templates are written for transformers, so its environment is theirs: the tags, filters and
functions below, and whitespace trimmed around blocks. A template comes with a model and is not
trusted: it runs in Jinja's sandbox, in a process without network, files or other programs, with
little memory. `bonito_local.writing.rendering` is the parent's side, and watches the clock.
"""

from __future__ import annotations

import functools
import json
import time
from datetime import datetime
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from bonito_local.airgap.serving import serve

_MOST_MEMORY = 1 << 28
_MOST_TEXT = 1 << 20  # characters of a rendered conversation
# What a template may raise. Deep recursion and lack of memory are refused by `serve`.
_RAISED: tuple[type[Exception], ...] = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def answer(request: dict[str, Any]) -> dict[str, str]:
    """Render the request's `template` with its `values`: return the text, or the error."""
    try:
        return {"text": _text(_compiled(request["template"]), request["values"])}
    except _RAISED as error:
        return {"error": str(error).strip() or type(error).__name__}


def _text(template: Template, values: dict[str, Any]) -> str:
    pieces, size = [], 0
    for piece in template.generate(values):
        size += len(piece)
        if size > _MOST_TEXT:
            raise TemplateError(f"it writes more than {_MOST_TEXT:,} characters")
        pieces.append(piece)
    return "".join(pieces)


class _Generation(Extension):
    """`{% generation %}` marks what a model is trained on. It shows its body as it is."""

    tags = {"generation"}  # noqa: RUF012 - Jinja declares it so

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        # A variable that is set in the block ends with it.
        return nodes.Scope(body).set_lineno(line)


class _PlainNamespace(Namespace):
    """A namespace without names of Python's internals."""

    def __setitem__(self, name: str, value: object) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: str) -> None:
    if name.startswith("_"):
        raise SecurityError(f"a namespace may not hold {name!r}")


@functools.lru_cache(maxsize=8)
def _compiled(template: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=_refuse,
        strftime_now=_now,
        namespace=_namespace,
        dict=lambda *pairs, **named: dict(*pairs, **named),
    )
    return environment.from_string(template)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _namespace(*pairs: Any, **named: Any) -> Namespace:
    values = dict(*pairs, **named)
    for name in values:
        _check_name(name)
    return _PlainNamespace(values)


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


if __name__ == "__main__":
    time.localtime()  # reads the time zone while its file can still be opened
    serve(answer, _MOST_MEMORY)
