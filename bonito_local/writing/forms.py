"""Forms: what a model that follows instructions is asked to write of a passage, one a task type.

A form is a file in `prompts/`. The model fills in a JSON object, with the sentence that holds the
answer first; instruction and response are put together from its fields. Labels and the order of
options are drawn by the passage's hash, so that a model's leanings do not decide them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from bonito_local.tasks import CONTEXT

_LETTERS = "abcdefgh"
_FIELD = r'"%s"\s*:\s*"((?:[^"\\]|\\.)*)'

Fields = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for one task type.

    Attributes:
        asks: the request for each label, by label; the one of a form without labels by "".
        keys: fields of the JSON object that the model writes, in order.
        instruction: the row's instruction; `{key}` stands for a field, `{options}` for the
            answer among the wrong ones.
        response: the row's response; `{letter}` stands for the right option's and `{label}` for
            the label.
    """

    asks: Mapping[str, str]
    keys: tuple[str, ...]
    instruction: str
    response: str

    @property
    def opening(self) -> str:
        """What the model's answer begins with: it is put there for it."""
        return f'{{"{self.keys[0]}": "'

    def label(self, passage: str) -> str:
        """Return the label drawn for a passage; empty where the form has none."""
        return list(self.asks)[_seed(passage) % len(self.asks)]

    def request(self, passage: str) -> str:
        """Return what is asked about a passage."""
        return self.asks[self.label(passage)]

    def row(self, passage: str, written: str) -> tuple[str, str] | None:
        """Return instruction and response of what a model wrote, or None where fields lack.

        `written` is the answer without its `opening`.
        """
        fields = _read(self.opening + written, self.keys)
        if fields is None:
            return None
        slots = {name: value for name, value in fields.items() if isinstance(value, str)}
        slots["label"] = self.label(passage)
        wrong = fields.get("wrong")
        if isinstance(wrong, list):
            options = [slots["answer"], *wrong[:3]]
            random.Random(_seed(passage)).shuffle(options)
            slots["letter"] = _LETTERS[options.index(slots["answer"])]
            slots["options"] = "\n".join(
                f"({letter}) {option}" for letter, option in zip(_LETTERS, options, strict=False)
            )
        return _fill(self.instruction, slots), _fill(self.response, slots)


@functools.cache
def form(task: str) -> Form | None:
    """Return the form of one of the 16 task types by its short name; None for others."""
    file = files("bonito_local.writing").joinpath("prompts", f"{task}.toml")
    if not file.is_file():
        return None
    data = tomllib.loads(file.read_text("utf-8"))
    ask = data["ask"]
    return Form(
        asks={"": ask} if isinstance(ask, str) else ask,
        keys=tuple(data["keys"]),
        instruction=data["instruction"],
        response=data["response"],
    )


def system_prompt() -> str:
    """Return what every request begins with."""
    return (
        files("bonito_local.writing").joinpath("prompts", "system.txt").read_text("utf-8").strip()
    )


def _seed(passage: str) -> int:
    return int.from_bytes(hashlib.sha256(passage.strip().encode("utf-8", "replace")).digest()[:4])


def _fill(template: str, slots: Mapping[str, str]) -> str:
    """Put fields into a template at once: a field's own braces stay as they are."""
    pattern = "|".join(re.escape("{" + name + "}") for name in slots)
    return re.sub(
        rf"{re.escape(CONTEXT)}|{pattern}",
        lambda match: match[0] if match[0] == CONTEXT else slots[match[0][1:-1]],
        template,
    )


def _read(text: str, keys: tuple[str, ...]) -> Fields | None:
    """Return the fields of the JSON object that `text` begins with; None where one lacks."""
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        value = _salvage(text, keys)
    if not isinstance(value, dict):
        return None
    fields: dict[str, str | list[str]] = {}
    for key in keys:
        field = value.get(key)
        if key == "wrong":
            if not isinstance(field, list) or len(field) < 2:
                return None
            fields[key] = [str(one).strip() for one in field if not isinstance(one, dict | list)]
        elif isinstance(field, str | int | float) and str(field).strip():
            fields[key] = str(field).strip()
        else:
            return None
    return fields


def _salvage(text: str, keys: tuple[str, ...]) -> dict[str, str]:
    """Return the fields that can be told in broken JSON; texts alone, whole ones."""
    values: dict[str, str] = {}
    for key in keys:
        if match := re.search(_FIELD % re.escape(key) + '"', text, re.DOTALL):
            try:
                values[key] = json.loads(f'"{match[1]}"', strict=False)
            except ValueError:
                values[key] = match[1]
    return values
