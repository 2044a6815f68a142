"""Any model that follows instructions: asked by forms, or by the user's own task types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bonito_local.backends.base import Completion, Line, Lines
from bonito_local.backends.likelihood import Likelihood
from bonito_local.checks.standing import points_outside
from bonito_local.passages.sentences import Sentence
from bonito_local.tasks import CONTEXT, LABELS, PIPE, TaskType, defuse
from bonito_local.writing.chat import Frame
from bonito_local.writing.claims import VERDICTS, claim_of_lines
from bonito_local.writing.conversation import Conversation, about, question, reasoned_check
from bonito_local.writing.forms import Fields, Form
from bonito_local.writing.promptset import PromptSet, package_prompts
from bonito_local.writing.reasoning import REASONING
from bonito_local.writing.thinking import answer_of
from bonito_local.writing.writer import Ask, Assignment, Claim

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
_STOPS = ("\nText:", "\nSentence:")  # a model that goes on with another example
_CHECK_STOPS = ("\nText:", "\nQuestion:", "\nStatement:")  # the same, of checks
COPIED = "copied from the prompt"
UNCHANGED = "what makes it false is lost"
OUTSIDE = "statement points outside itself"
_FEW = 4  # words that two texts may share by chance


@dataclass(frozen=True, slots=True)
class InstructWriter:
    """Asks in a model's chat template, or in plain text where it has none.

    One of the 16 task types is asked by its form, after the conversation: the passage first, then
    what to write about one of its sentences. A task type of the user's with templates has its
    instructions from them, one for each passage, and the model writes the response; else it
    writes both.

    Attributes:
        plain: around a request that stands for itself.
        writer: around a request to fill in a form, after the conversation.
        prompts: the forms and the conversation.
        reasoning: whether a claim's answer is to be reasoned first.
    """

    plain: Frame = field(default_factory=Frame)
    writer: Frame = field(default_factory=Frame)
    prompts: PromptSet = field(default_factory=package_prompts)
    reasoning: bool = False

    def shared(self, task: TaskType) -> bool:
        """Whether it is one of the user's: a form asks about another sentence for each sample."""
        return self._form(task) is None

    def unfit(self, assignment: Assignment) -> str | None:
        """Return None: a model that follows instructions is told to name what it speaks of."""
        return None

    def ask(self, assignment: Assignment) -> Ask:
        """Return the form's request, the template with the passage in it, or what to write."""
        task, text = assignment.task, defuse(assignment.passage.strip())
        if asked := self._form(task):
            request = about(text, defuse(assignment.heading)) + asked.request(
                asked.choose(assignment)
            )
            prompt = self.writer.around(request, asked.lead, "\n")
            return Ask(prompt, asked.shape(assignment), (*_STOPS, *self.writer.stops))
        if task.templates:
            asked_text = self._instruction(assignment).replace(CONTEXT, text)
            return Ask(self.plain.around(asked_text, plainly="\n\n"), stop=self.plain.stops)
        choices = f" The response is one of: {', '.join(task.labels)}." if task.labels else ""
        request = _WRITE.format(
            name=task.name,
            meaning=task.meaning.rstrip("."),
            labels=choices,
            passage=text,
            instruction=task.instruction,
            response=task.response,
        )
        prompt = self.plain.around(request, plainly="\n\nInstruction:")
        return Ask(prompt, stop=self.plain.stops)

    def written(self, assignment: Assignment, done: Completion) -> Completion:
        """Return the instruction, the passage named in it, and the response."""
        task = assignment.task
        if done.finish_reason == "failed":
            return done
        done = replace(done, text=answer_of(done.text))
        if asked := self._form(task):
            row = asked.row(assignment, done.text)
            if row is None:
                return done
            instruction, response = row
        elif task.templates:
            instruction, response = self._instruction(assignment), done.text.strip()
        else:
            parts = _PARTS.fullmatch(done.text)
            if not parts:
                return done
            instruction = parts.group(1).strip()
            response = _NEXT.split(parts.group(2))[0].strip()
            if CONTEXT not in instruction:
                instruction = f"{CONTEXT}\n\n{instruction}"
        return replace(done, text=f"{instruction}\n{PIPE}\n{response}")

    def evidence(self, assignment: Assignment) -> Sentence | None:
        """Return the sentence that the form gave the model."""
        asked = self._form(assignment.task)
        return asked.choose(assignment).sentence if asked else None

    def fault(self, assignment: Assignment, done: Completion) -> str | None:
        """Return why a row cannot be right: a copy of an example, or a change that was lost."""
        asked = self._form(assignment.task)
        fields = asked.fields(done.text) if asked else None
        said = self.prompts.conversation
        return fault(asked, said, assignment, fields) if asked and fields else None

    def telling(self, assignment: Assignment, done: Completion) -> list[tuple[str, str]]:
        """Return nothing: models that follow instructions are asked again instead."""
        return []

    def unlikely(self, found: Sequence[Likelihood]) -> str | None:
        """Return None."""
        return None

    def claim(self, assignment: Assignment, done: Completion) -> Claim | None:
        """Return the row's question or statement, and its answer."""
        asked = self._form(assignment.task)
        return claim_of_lines(asked, assignment, done.text) if asked else None

    def reread(self, assignment: Assignment, claim: Claim, *, plainly: bool = False) -> Ask | None:
        """Return the claim as a request about the passage, which the model has read already."""
        said = self.prompts.conversation
        check = said.checks[claim.kind]
        reasons = self.reasoning and not plainly
        if reasons:
            check = reasoned_check(check, said.reasoning)
        request = question(check, claim.kind, claim.text)
        passage = about(defuse(assignment.passage.strip()), defuse(assignment.heading))
        line = Line("Answer", VERDICTS.get(claim.kind, ()))
        if reasons:
            prompt = self.writer.around(passage + request, REASONING, "\n")
            shape = Lines((Line(REASONING.removesuffix(":")), line))
            stops = (*_CHECK_STOPS, *self.writer.stops)
            return Ask(prompt, shape, stops, greedy=True, reasons=True)
        prompt = self.writer.around(passage + request, "Answer:", "\n")
        return Ask(prompt, Lines((line,)), ("\n", *self.writer.stops), greedy=True)

    def beginning(self, task: TaskType, passage: str, instruction: str) -> str:
        """Return the instruction alone, with the passage in it."""
        request = instruction.strip().replace(CONTEXT, defuse(passage.strip()))
        return self.plain.around(request, plainly="\n\n")

    def _form(self, task: TaskType) -> Form | None:
        """The form of one of the 16 task types; the user's own have none."""
        return None if task.own else self.prompts.form(task.short)

    @staticmethod
    def _instruction(assignment: Assignment) -> str:
        # By the passage alone: the same when asked again, and as often as the others.
        task = assignment.task
        chosen = task.templates[assignment.number % len(task.templates)]
        if task.labels and LABELS not in chosen:
            chosen += "\n\nAnswer with one of: {{labels}}."
        return chosen.replace(LABELS, ", ".join(task.labels))


def fault(asked: Form, said: Conversation, assignment: Assignment, fields: Fields) -> str | None:
    """Return why a row of these lines cannot be right."""
    if any(text in said.answers and len(text.split()) > _FEW for text in fields.values()):
        return COPIED
    written = set(re.findall(r"\w+", " ".join(fields.values())))
    own = f"{assignment.passage} {assignment.heading}"
    if any(name in written and name not in own for name in said.names):
        return COPIED
    change = asked.choose(assignment).change
    if change and not change.kept(fields[asked.lines[0]]):
        return UNCHANGED
    return OUTSIDE if points_outside(fields.get("statement", "")) else None
