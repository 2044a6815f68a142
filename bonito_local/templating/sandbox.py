"""Makes a row of an example by a template, in Jinja's sandbox; runs in the renderer process.

The filters are those that promptsource's templates use, by its documentation; what is drawn at
random is drawn by the row's own seed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, UndefinedError, meta, pass_context
from jinja2.sandbox import SandboxedEnvironment

from bonito_local.tasks import CONTEXT, MARKERS, defuse
from bonito_local.templating.reasons import (
    COLUMN_MISSING,
    NO_INSTRUCTION,
    NO_PASSAGE,
    NO_RESPONSE,
    TEMPLATE_FAILED,
    TOO_MUCH,
    WRITES_MARKER,
)
from bonito_local.templating.source import SEPARATOR, SLOT

_ALL = "columns"  # the name by which those are found whose own is no word
# What stands for the separator in data. promptsource's own string: templates of its name it.
_GUARD = "3ed2dface8203c4c9dfb1a5dc58e41e0"
_MOST_TEXT = 1 << 20  # characters of a rendered template
_LEEWAY = 5  # as of Jinja's truncate, which ctga-v1 was cut with
# What a template may raise.
RAISED: tuple[type[Exception], ...] = (
    TemplateError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


class _TooMuch(Exception):
    """A template writes without end."""


class Sandbox(SandboxedEnvironment):
    """Jinja without a way out, its random draws seeded, and long values cut."""

    def __init__(self, cut: int | None) -> None:
        super().__init__(undefined=StrictUndefined, finalize=self._finalize)
        self.cut_at, self.was_cut = cut, False
        self.draw = random.Random(0)

        # With a context it is called at rendering: without, once, where its items are constant.
        @pass_context
        def choice(_context: object, items: Sequence[Any]) -> Any:
            return self.draw.choice(items)

        self.filters |= {"choice": choice, "random": choice, "most_frequent": _most_frequent}
        del self.globals["lipsum"]
        self.globals["zip"] = zip

    def _finalize(self, value: object) -> str:
        text = str(value)
        if self.cut_at is None or len(text) <= self.cut_at + _LEEWAY:
            return text
        self.was_cut = True
        return text[: self.cut_at - 3].rsplit(" ", 1)[0] + "..."


def _most_frequent(items: Sequence[Hashable]) -> list[Hashable] | None:
    counts = Counter(items)
    return [item for item, n in counts.items() if n == max(counts.values())] if items else None


class Rows:
    """Makes rows of one dataset: its passage, its values, and its templates in their order."""

    def __init__(self, passage: str, values: Mapping[str, str], cut: int | None) -> None:
        """Compile what all templates share.

        Raises:
            TemplateError: the passage or a value is no Jinja.
        """
        self._sandbox = Sandbox(cut)
        self._values = {
            name: self._sandbox.compile_expression(text, undefined_to_none=False)
            for name, text in values.items()
        }
        self._passage = self._sandbox.from_string(passage)
        self._templates: list[tuple[Template, Template | None]] = []
        given = {*self._sandbox.globals, _ALL}
        self._known = {*values, *given, SLOT, "answer_choices"}
        self.columns = self._variables(passage) - self._known
        for text in values.values():
            self.columns |= self._variables(f"{{{{ {text} }}}}") - given

    def add(self, text: str, choices: str | None) -> set[str]:
        """Compile a template; returns the columns it needs.

        Raises:
            TemplateError: it is no Jinja, or asks for a filter there is not.
        """
        compiled = self._sandbox.from_string(text)
        answers = None if choices is None else self._sandbox.from_string(choices)
        needed = self._variables(text) | self._variables(choices or "")
        self._templates.append((compiled, answers))
        return needed - self._known

    def _variables(self, text: str) -> set[str]:
        return meta.find_undeclared_variables(self._sandbox.parse(text))

    def make(self, number: int, seed: int, example: Mapping[str, Any]) -> list[Any] | str:
        """Return passage, instruction, response, and whether something was cut; or why not."""
        self._sandbox.draw.seed(seed)
        self._sandbox.was_cut = False
        try:
            return self._make(*self._templates[number], example)
        except UndefinedError:
            return COLUMN_MISSING
        except (MemoryError, _TooMuch):
            return TOO_MUCH
        except RAISED:
            return TEMPLATE_FAILED

    def _make(
        self, template: Template, choices: Template | None, example: Mapping[str, Any]
    ) -> list[Any] | str:
        columns = _guarded(example)
        columns[_ALL] = columns.copy()
        values = columns | {n: _guarded(_value(get, columns)) for n, get in self._values.items()}
        passage = _text(self._passage, values).strip()
        if not passage:
            return NO_PASSAGE
        listed = None if choices is None else _text(choices, values).split(SEPARATOR)
        values["answer_choices"] = listed and [choice.strip() for choice in listed]
        values[SLOT] = CONTEXT
        instruction, _, rest = _text(template, values).partition(SEPARATOR)
        texts = [instruction, rest.partition(SEPARATOR)[0]]
        instruction, response = (text.strip().replace(_GUARD, SEPARATOR) for text in texts)
        if not response:
            return NO_RESPONSE
        if not instruction:
            return NO_INSTRUCTION
        if any(marker in text for marker in MARKERS for text in (instruction, response)):
            return WRITES_MARKER
        passage = defuse(passage.replace(_GUARD, SEPARATOR))
        return [passage, instruction, response, self._sandbox.was_cut]


def _text(template: Template, values: Mapping[str, Any]) -> str:
    pieces, size = [], 0
    for piece in template.generate(values):
        size += len(piece)
        if size > _MOST_TEXT:
            raise _TooMuch
        pieces.append(piece)
    return "".join(pieces)


def _value(get: Callable[..., Any], columns: Mapping[str, Any]) -> Any:
    value = get(columns)
    if isinstance(value, StrictUndefined):
        str(value)  # raises, and says what is missing
    return value


def _guarded(value: Any) -> Any:
    """Take from texts what would divide a row, or pass for the passage's place."""
    if isinstance(value, str):
        return defuse(value).replace(SEPARATOR, _GUARD)
    if isinstance(value, dict):
        return {name: _guarded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_guarded(item) for item in value]
    return value
