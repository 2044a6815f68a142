"""Templates: how an item is put into words, five for each set, in TOML files beside this package.

In these `{{passage}}`, `{{question}}` and `{{kind}}` stand for an item's own. `choices` are the
words for the set's labels, in their order.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Protocol

from bonito_local.evaluation.items import Item
from bonito_local.evaluation.sets import EvaluationSet

_PLACE = re.compile(r"\{\{(passage|question|kind)\}\}")


class Template(Protocol):
    """One way to ask."""

    @property
    def name(self) -> str:
        """Its own among those of a set."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words for the set's labels, in their order; empty where the answer is a span."""

    def fill(self, item: Item, passage: str, kind: str) -> str:
        """The instruction for an item, with `passage` for its own."""


@dataclass(frozen=True, slots=True)
class OwnTemplate:
    """One of this package's."""

    name: str
    text: str
    choices: tuple[str, ...] = ()

    def fill(self, item: Item, passage: str, kind: str) -> str:
        """The instruction for an item, with `passage` for its own."""
        put = {"passage": passage.strip(), "question": item.question.strip(), "kind": kind}
        # In one pass: what stands in a passage is never a place.
        return _PLACE.sub(lambda found: put[found[1]], self.text)


def templates_of(found: EvaluationSet) -> list[Template]:
    """The set's templates in this package's words."""
    source = files("bonito_local.evaluation").joinpath("templates", f"{found.templates}.toml")
    return [
        OwnTemplate(one["name"], one["text"].strip(), tuple(one.get("choices", ())))
        for one in tomllib.loads(source.read_text("utf-8"))["template"]
    ]
