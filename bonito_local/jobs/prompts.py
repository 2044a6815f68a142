"""How a model is asked: Bonito by its own prompt, any other that follows instructions by a text.

Whatever it was asked, what it writes goes on as Bonito would have written it: instruction,
`<|pipe|>`, response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from bonito_local.backends.base import Backend, Completion, Framed
from bonito_local.errors import UsageError
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.seeds import passage_hash
from bonito_local.models.fit import passage_tokens
from bonito_local.tasks import CONTEXT, LABELS, PIPE, TaskType, defuse, format_prompt
from bonito_local.writing.chat import Frame, frame
from bonito_local.writing.forms import Form, form, system_prompt

Style = Literal["auto", "bonito", "instruct"]
STYLES: tuple[Style, ...] = ("auto", "bonito", "instruct")

_WRITE = """\
Write one training example for a language model, about the text below.
Its kind is {name}: {meaning}.{labels}

Text:
{passage}

Write it in this form, with nothing before or after it:
Instruction: ...
Response: ...

An example about another text:
Instruction: {instruction}
Response: {response}"""
_PARTS = re.compile(
    r"\s*(?:[*#\s]*(?:instruction|question)[*\s]*:[*\s]*)?(\S.*?)"
    r"\n[*#\s]*(?:response|answer)[*\s]*:[*\s]*(\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_NEXT = re.compile(r"\n[*#\s]*(?:instruction|question|text)[*\s]*:", re.IGNORECASE)


class Asking(Protocol):
    """How a job asks its model."""

    def prompt(self, task: TaskType, passage: str) -> str:
        """What to ask of a passage, without BOS."""

    def written(self, task: TaskType, passage: str, done: Completion) -> Completion:
        """A completion in Bonito's form, or as it is where it has none."""

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """What to ask for the response to an instruction, in which `{{context}}` is the passage."""


class BonitoAsking:
    """Bonito's own prompt."""

    def prompt(self, task: TaskType, passage: str) -> str:
        """What Bonito was trained on; an own task type's name stands for the 16."""
        return format_prompt(task, passage)

    def written(self, task: TaskType, passage: str, done: Completion) -> Completion:
        """As it is."""
        return done

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """The prompt, and the instruction as if the model had written it."""
        return f"{self.prompt(task, passage)}{instruction}{PIPE}\n"


@dataclass(frozen=True, slots=True)
class InstructAsking:
    """A text for a model that follows instructions, in its chat template where it has one.

    One of the 16 task types is asked by its form: the passage first, then what to write about it
    as JSON, of which the first field is begun. A task type of the user's with templates has its
    instructions from them, one for each passage, and the model writes the response; else it
    writes both.

    Attributes:
        plain: around a request that stands for itself.
        writer: around a request to fill in a form, after the system prompt.
    """

    plain: Frame = field(default_factory=Frame)
    writer: Frame = field(default_factory=Frame)

    def prompt(self, task: TaskType, passage: str) -> str:
        """The template with the passage in it, or what to write."""
        text = defuse(passage.strip())
        if asked := _form(task):
            request = f"Text:\n{text}\n\n{asked.request(passage)}"
            tail = self.writer.tail or "\n\n"
            return Framed(self.writer.head, request, tail + asked.opening)
        if task.templates:
            asked_text = self._instruction(task, passage).replace(CONTEXT, text)
            return Framed(self.plain.head, asked_text, self.plain.tail or "\n\n")
        choices = f" The response is one of: {', '.join(task.labels)}." if task.labels else ""
        request = _WRITE.format(
            name=task.name,
            meaning=task.meaning.rstrip("."),
            labels=choices,
            passage=text,
            instruction=task.instruction,
            response=task.response,
        )
        return Framed(self.plain.head, request, self.plain.tail or "\n\nInstruction:")

    def written(self, task: TaskType, passage: str, done: Completion) -> Completion:
        """The instruction, the passage named in it, and the response."""
        if done.finish_reason == "failed":
            return done
        if asked := _form(task):
            row = asked.row(passage, done.text)
            if row is None:
                return done
            instruction, response = row
        elif task.templates:
            instruction, response = self._instruction(task, passage), done.text.strip()
        else:
            parts = _PARTS.fullmatch(done.text)
            if not parts:
                return done
            instruction = parts.group(1).strip()
            response = _NEXT.split(parts.group(2))[0].strip()
            if CONTEXT not in instruction:
                instruction = f"{CONTEXT}\n\n{instruction}"
        return replace(done, text=f"{instruction}\n{PIPE}\n{response}")

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """The instruction alone, with the passage in it."""
        request = instruction.strip().replace(CONTEXT, defuse(passage.strip()))
        return Framed(self.plain.head, request, self.plain.tail or "\n\n")

    @staticmethod
    def _instruction(task: TaskType, passage: str) -> str:
        # By the passage alone: the same when asked again, and as often as the others.
        at = int(passage_hash(passage)[:8], 16) % len(task.templates)
        chosen = task.templates[at]
        if task.labels and LABELS not in chosen:
            chosen += "\n\nAnswer with one of: {{labels}}."
        return chosen.replace(LABELS, ", ".join(task.labels))


BONITO = BonitoAsking()


def asking(style: str, metadata: Mapping[str, object], guided: bool = False) -> Asking:
    """How to ask a model with this metadata; with "auto" by what it was made for.

    Raises:
        ModelError: its chat template cannot be used.
        UsageError: the rows are to be guided, and it is not asked by Bonito's prompt.
    """
    template = str(metadata.get("tokenizer.chat_template", ""))
    if style == "auto":
        style = "instruct" if template and not _is_bonito(metadata) else "bonito"
    if style == "bonito":
        return BONITO
    if guided:
        raise UsageError(
            "Guided rows are for models that are asked by Bonito's prompt.",
            "Leave --guided out, or add --prompt bonito.",
        )
    if not template:
        return InstructAsking(Frame(), Frame(f"{system_prompt()}\n\n"))
    return InstructAsking(frame(template), frame(template, system_prompt()))


def _form(task: TaskType) -> Form | None:
    """The form of one of the 16 task types; the user's own have none."""
    return None if task.own else form(task.short)


def longest_passage(backend: Backend, wanted: Generation, asked: Asking) -> int:
    """The most tokens of a passage, as for `passage_tokens`, asked about like this."""
    bare = [] if asked is BONITO else [asked.prompt(task, "") for task in wanted.tasks]
    return passage_tokens(backend, wanted.sampling.max_tokens, wanted.passage_tokens, bare)


def _is_bonito(metadata: Mapping[str, object]) -> bool:
    names = ("general.name", "general.basename", "bonito.convert.base", "bonito.convert.adapters")
    told = " ".join(str(metadata.get(name, "")) for name in names)
    return "bonito.task_types" in metadata or "bonito" in told.lower()
