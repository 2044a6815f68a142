"""What rows are built from: a dataset's files, its passage, and the templates for it.

Templates are Jinja: instruction, `|||`, response. Where the passage stood in one,
`{{ bonito_passage }}` does, which is rendered as Bonito's placeholder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SLOT = "bonito_passage"
SEPARATOR = "|||"
_DELIMITERS = re.compile(r"(\{\{|\}\}|\{%|%\})")


@dataclass(frozen=True, slots=True)
class Template:
    """One way to make a row of an example.

    `task` is the short name of a task type; `choices` the Jinja of the answers to choose from,
    themselves divided by `|||`, which the template finds as `answer_choices`.
    """

    name: str
    task: str
    text: str
    choices: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset on disk and what is made of it.

    `passage` is Jinja; `values` are (name, expression) pairs that are computed of an example's
    columns first; `header` names the columns of CSV files without a line of names. Texts
    longer than `cut` characters are cut where they go in, as ctga-v1's were.
    """

    name: str
    files: tuple[Path, ...]
    passage: str
    templates: tuple[Template, ...]
    subset: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    header: tuple[str, ...] = ()
    licence: str = ""
    cut: int | None = None

    @property
    def label(self) -> str:
        """Name and subset, as users write them."""
        return f"{self.name}/{self.subset}" if self.subset else self.name


def with_slot(text: str, passage: str) -> str | None:
    """Put the slot where a template holds the passage's Jinja, however it is spaced.

    Returns None for a template without it.
    """
    # A function, since backslashes of a replacement would be read.
    replaced, found = re.subn(_pattern(passage), lambda _: f"{{{{ {SLOT} }}}}", text)
    return replaced if found else None


def _pattern(passage: str) -> str:
    pattern, inside = "", False
    for piece in _DELIMITERS.split(passage):
        if piece in ("{{", "{%"):
            pattern, inside = pattern + re.escape(piece) + r"\s*", True
        elif piece in ("}}", "%}"):
            pattern, inside = pattern + r"\s*" + re.escape(piece), False
        elif inside:
            terms = [_spaced(term.strip()) for term in piece.split("|")]
            pattern += r"\s*\|\s*".join(terms)
        else:
            pattern += _spaced(piece)
    return pattern


def _spaced(text: str) -> str:
    """The pattern of a text whose spaces may be of any kind and number."""
    return r"\s+".join(re.escape(part) for part in re.split(r"\s+", text))
