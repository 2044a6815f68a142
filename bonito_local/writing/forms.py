"""Forms: what a model that follows instructions is asked to write, one for each task type.

A form is a file in `prompts/`. The model is given a sentence of the passage and writes lines of the
form `Name: text`; instruction and response are put together from them. Which sentence, which label
and which wording of the instruction is drawn by the passage's hash and the sample's number, so that
a model's leanings do not decide it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bonito_local.backends.base import Line, Lines
from bonito_local.errors import UsageError
from bonito_local.passages.sentences import Sentence, candidates
from bonito_local.tasks import CONTEXT, TASK_TYPES
from bonito_local.writing.contrast import Change, changes
from bonito_local.writing.thinking import answer_of
from bonito_local.writing.writer import Assignment

_LETTERS = "abcdefgh"
_PLACES = {task.short: place for place, task in enumerate(TASK_TYPES)}
_INLINE = re.compile(r"\b(?:Question|Answer|Sentence|Statement|Wrong):")
_WRONG = "wrong"  # the line that holds wrong options, apart by bars
_FEWEST_WRONG = 2

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")  # of a line: a model writes it before a colon

_KEYS = frozenset("ask lines instructions response sentence changed spans choices check".split())

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a row is to be: its label, its sentence, and what is changed in it."""

    label: str
    sentence: Sentence | None = None
    change: Change | None = None

    @property
    def shown(self) -> str:
        """The sentence as the model is shown it; empty where there is none."""
        if self.change:
            return self.change.text
        return self.sentence.text if self.sentence else ""


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for one task type.

    Attributes:
        asks: the request for each label, by label; the one of a form without labels by "".
        lines: names of the lines that the model writes, in order.
        instructions: wordings of the row's instruction; `{name}` stands for a line's text,
            `{sentence}` for the sentence, `{options}` for the answer among the wrong ones.
        response: the row's response; `{letter}` stands for the right option's and `{label}` for
            the label.
        sentence: whether the row is about one sentence of the passage.
        changed: labels for which the model is given the sentence with one thing changed.
        spans: lines that hold words of the "sentence" or the "passage" and nothing else.
        choices: lines that hold one of these texts.
        check: how the row's answer is asked for again, one of the conversation's `checks`.
        alone: only sentences without a pronoun are taken, where there are any.
    """

    asks: Mapping[str, str]
    lines: tuple[str, ...]
    instructions: tuple[str, ...]
    response: str
    sentence: bool = True
    changed: tuple[str, ...] = ()
    spans: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    check: str = ""
    alone: bool = False

    def choose(self, assignment: Assignment) -> Choice:
        """Return the label that the row is to have, and the sentence that it is to be about.

        Each sample and attempt is about another. Where no sentence can be changed, the label is
        one that needs no change.
        """
        labels = list(self.asks)
        # By the task type too: of two with the same labels not all rows are alike.
        kind = _PLACES.get(assignment.task.short, 0)
        label = labels[(assignment.number + kind + assignment.sample) % len(labels)]
        found = candidates(assignment.passage, alone=self.alone) if self.sentence else []
        if not found:
            return Choice(label if label not in self.changed else _first(labels, self.changed))
        if label in self.changed:
            if false := _false(assignment.passage, assignment.number, self.alone):
                rows = max(1, assignment.of // len(labels))
                turn = assignment.attempt * rows + assignment.sample // len(labels)
                return Choice(label, *false[turn % len(false)])
            label = _first(labels, self.changed)
        turn = (assignment.turn + assignment.attempt) * assignment.of + assignment.sample
        return Choice(label, found[turn % len(found)])

    def fresh(self, assignment: Assignment) -> bool:
        """Whether nothing was asked about the sentence before, in this form and by this job."""
        found = candidates(assignment.passage, alone=self.alone) if self.sentence else []
        asked = assignment.attempt * assignment.of + assignment.sample
        return asked < max(1, len(found))

    def request(self, choice: Choice) -> str:
        """Return what is asked for."""
        return request(self.asks[choice.label], choice.shown)

    @property
    def lead(self) -> str:
        """What the model's answer begins with: it is put there for it."""
        return f"{self.lines[0].capitalize()}:"

    def shape(self, assignment: Assignment) -> Lines:
        """Return what the lines may hold."""
        passage = " ".join(assignment.passage.split())
        texts = {"passage": passage, "sentence": self.choose(assignment).shown or passage}
        return Lines(
            tuple(
                Line(
                    name.capitalize(),
                    self.choices.get(name, ()),
                    texts[self.spans[name]] if name in self.spans else None,
                )
                for name in self.lines
            )
        )

    def fields(self, written: str) -> Fields | None:
        """Return the texts of the lines, by name; None where one lacks or is empty.

        `written` is the answer after its `lead`, which some models write again.
        """
        names = "|".join(self.lines)
        text = f"{self.lead}{answer_of(written, self.lead)}"
        parts = re.split(rf"^(?:[^\S\n]|[*#-])*({names})[*\s]*:[*\s]*", text, flags=re.I | re.M)
        fields: dict[str, str] = {}
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            if text := " ".join(text.split("\n\n")[0].split()):
                fields.setdefault(name.lower(), text)
        if set(fields) != set(self.lines) or any(map(_INLINE.search, fields.values())):
            return None
        if _WRONG in fields and len(_options(fields[_WRONG])) < _FEWEST_WRONG:
            return None
        return fields

    def row(self, assignment: Assignment, written: str) -> tuple[str, str] | None:
        """Return instruction and response of what a model wrote, or None where lines lack."""
        fields = self.fields(written)
        if fields is None:
            return None
        choice = self.choose(assignment)
        about = choice.sentence.text if choice.sentence else ""
        slots = {**fields, "label": choice.label, "sentence": about}
        draw = random.Random(f"{assignment.number} {assignment.task.short} {assignment.sample}")
        if _WRONG in fields:
            right = next(text for name, text in fields.items() if f"{{{name}}}" in self.response)
            options = [right, *_options(fields[_WRONG])[:3]]
            draw.shuffle(options)
            slots["letter"] = _LETTERS[options.index(right)]
            slots["options"] = "\n".join(
                f"({letter}) {option}" for letter, option in zip(_LETTERS, options, strict=False)
            )
        return _fill(draw.choice(self.instructions), slots), _fill(self.response, slots)


# Of one passage asked for several times for each row.
@lru_cache(maxsize=256)
def _false(passage: str, number: int, alone: bool) -> tuple[tuple[Sentence, Change], ...]:
    """Return sentences with one thing changed, each in its likeliest way before any in another.

    Those that are negated come last.
    """
    made = [
        (change.negates, at, sentence, change)
        for sentence in candidates(passage, alone=alone)
        for at, change in enumerate(
            changes(sentence.text, passage, random.Random(f"{number} {sentence.start}"))
        )
    ]
    return tuple((s, change) for _, _, s, change in sorted(made, key=lambda one: one[:2]))


def request(ask: str, sentence: str) -> str:
    """Return a request about a sentence; about the whole text where it is empty."""
    return f"{ask}\nSentence: {sentence}" if sentence else ask


def _first(labels: Sequence[str], but: Container[str]) -> str:
    return next(label for label in labels if label not in but)


def parse_form(data: Mapping[str, Any]) -> Form:
    """Return the form that a file of `prompts/` describes.

    Raises:
        UsageError: a key lacks, or is of another type or name than there is.
    """
    ask = _get(data, "ask", (str, dict))
    asks = {"": ask} if isinstance(ask, str) else ask
    if not asks or not all(isinstance(text, str) for text in asks.values()):
        raise UsageError("ask is no text, nor a table of texts.", 'Write ask = "Write ..."')
    choices = _get(data, "choices", (dict,), {})
    made = Form(
        asks=asks,
        lines=_texts(data, "lines"),
        instructions=_texts(data, "instructions"),
        response=_get(data, "response", (str,)),
        sentence=_get(data, "sentence", (bool,), True),
        changed=_texts(data, "changed", ()),
        spans=_get(data, "spans", (dict,), {}),
        choices={name: _texts(choices, name) for name in choices},
        check=_get(data, "check", (str,), ""),
    )
    if unknown := set(data) - _KEYS:
        raise UsageError(
            f"{min(unknown)} is no key of a prompt.", f"Use {', '.join(sorted(_KEYS))}."
        )
    wrong = [span for span in made.spans.values() if span not in ("sentence", "passage")]
    if wrong or not set(made.changed) < {*asks}:
        raise UsageError(
            "spans or changed name something that there is not.",
            'A span is of the "sentence" or the "passage"; changed lists some labels of ask.',
        )
    _check_lines(made)
    return made


def _check_lines(form: Form) -> None:
    """Raise UsageError where the lines cannot be told apart, or other keys name none of them."""
    plain = all(_NAME.fullmatch(name) for name in form.lines)
    if not plain or len(set(form.lines)) < len(form.lines):
        raise UsageError(
            "lines are not names, each of its own.", "Write small letters, digits and _."
        )
    if unknown := ({*form.spans} | {*form.choices}) - {*form.lines}:
        raise UsageError(
            f"spans or choices name {min(unknown)!r:.60}, which is no line.",
            f"The lines are {', '.join(form.lines)}.",
        )
    if _WRONG in form.lines and not any(f"{{{name}}}" in form.response for name in form.lines):
        raise UsageError(
            "response does not hold the right answer.",
            f"Where a line is called {_WRONG}, name the right one's in it: {{answer}}, say.",
        )


def _get(data: Mapping[str, Any], key: str, types: tuple[type, ...], usual: Any = None) -> Any:
    value = data.get(key, usual)
    if not isinstance(value, types):
        raise UsageError(
            f"{key} is {value!r:.60}." if key in data else f"{key} is not there.",
            f"Write {key} as the package's own prompts do: `bonito-local tasks exqa --prompt`.",
        )
    return value


def _texts(
    data: Mapping[str, Any], key: str, usual: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    texts = tuple(_get(data, key, (list, tuple), usual))
    if (not texts and usual is None) or not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{key} is no list of texts.", f'Write {key} = ["..."]')
    return texts


def _options(text: str) -> list[str]:
    return [option for part in text.split("|") if (option := part.strip(" .;"))]


def _fill(template: str, slots: Mapping[str, str]) -> str:
    """Put fields into a template at once: a field's own braces stay as they are."""
    pattern = "|".join(re.escape("{" + name + "}") for name in slots)
    return re.sub(
        rf"{re.escape(CONTEXT)}|{pattern}",
        lambda match: match[0] if match[0] == CONTEXT else slots[match[0][1:-1]],
        template,
    )
