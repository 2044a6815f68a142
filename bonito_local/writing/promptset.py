"""The prompts of a job: the package's files, or the user's own in place of some of them."""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bonito_local.errors import UsageError, reason
from bonito_local.tasks import TASK_TYPES
from bonito_local.writing.claims import check_claims
from bonito_local.writing.conversation import Conversation, parse_conversation
from bonito_local.writing.forms import Form, parse_form

CONVERSATION = "conversation"
_MOST_BYTES = 1_000_000
NAMES = (*(task.short for task in TASK_TYPES), CONVERSATION)


@dataclass(frozen=True)
class PromptSet:
    """Prompts by name: short names of task types, and the conversation.

    Attributes:
        texts: pairs of a name and its TOML.
    """

    texts: tuple[tuple[str, str], ...]

    @functools.cached_property
    def conversation(self) -> Conversation:
        """What comes before every request."""
        return parse_conversation(self._data(CONVERSATION), self.form)

    @functools.cached_property
    def sha256(self) -> str:
        """The same for the same prompts, in hex."""
        return hashlib.sha256(repr(sorted(self.texts)).encode()).hexdigest()

    def form(self, task: str) -> Form | None:
        """Return the form of one of the 16 task types by its short name; None for others."""
        return self._forms.get(task)

    def text(self, name: str) -> str:
        """Return a prompt's TOML."""
        return dict(self.texts)[name]

    @functools.cached_property
    def _forms(self) -> dict[str, Form]:
        forms = {}
        for name, _ in self.texts:
            if name != CONVERSATION:
                data = self._data(name)
                with _named(name):
                    forms[name] = parse_form(data)
        return forms

    def _data(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text(name))
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{name}.toml is not TOML: {error}.", "Text goes in quotes; lists in [ and ]."
            ) from error


@functools.cache
def package_prompts() -> PromptSet:
    """Return the prompts that come with the package."""
    folder = files("bonito_local.writing").joinpath("prompts")
    return PromptSet(
        tuple((name, folder.joinpath(f"{name}.toml").read_text("utf-8")) for name in NAMES)
    )


def read_prompts(folder: Path | None) -> PromptSet:
    """Return the prompts of a folder, and the package's for those that it lacks.

    Raises:
        UsageError: it is no folder, or a file in it is no prompt.
    """
    if folder is None:
        return package_prompts()
    try:
        # A pipe of that name would be waited for.
        paths = sorted(p for p in folder.iterdir() if p.suffix == ".toml" and not p.is_fifo())
        own = {path.stem: _read(path) for path in paths}
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The prompts in {folder} cannot be read: {reason(error)}.",
            "Name a folder of files such as exqa.toml: `bonito-local tasks exqa --prompt`.",
        ) from error
    if unknown := sorted(set(own) - set(NAMES)):
        raise UsageError(
            f"{folder / unknown[0]}.toml is the prompt of no task type.",
            f"Use {', '.join(NAMES)}; a task type of your own is a file for --task.",
        )
    if not own:
        raise UsageError(
            f"{folder} holds no prompts.", "Put files such as exqa.toml into it, or leave it out."
        )
    found = PromptSet(tuple((dict(package_prompts().texts) | own).items()))
    checks = found.conversation.checks  # what is wrong is said now
    for task in TASK_TYPES:
        if form := found.form(task.short):
            with _named(task.short):
                check_claims(form, checks)
    return found


def _read(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is too large.", f"A prompt has at most {_MOST_BYTES:,} bytes.")
    return data.decode("utf-8")


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say in which file something is wrong."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{name}.toml: {error.title}", error.remedy) from error
