"""The paper's own templates, out of checkouts of a user's, read as data.

Those of SQuADShifts are promptsource's; those of the other sets are in the paper's code
(BatsResearch/nayak-aclfindings24-code). Their Jinja is rendered in the process for strangers'
templates, once for each item, with a place left for the passage: it is put in here, as long as
the model has room for.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bonito_local.errors import EvaluationError, UsageError
from bonito_local.evaluation.items import Item
from bonito_local.evaluation.sets import EvaluationSet
from bonito_local.evaluation.templates import Template
from bonito_local.tasks import CONTEXT
from bonito_local.templating.promptsource import CUT, Prompt, read_prompts, templates_folder
from bonito_local.templating.rendering import Asked, Made, Renderer
from bonito_local.templating.source import SEPARATOR, Source, with_slot
from bonito_local.templating.source import Template as Jinja

PROMPTSOURCE, PAPER = "promptsource", "the paper's code"
_SPANS = ("after", "exam", "wondered", "pick_one_answer", "question_num_hint_answer")
_CONTRACTS = ("contradiction", "entailment", "neutral")  # by number
_CLAIMS = {"entailment": "SUPPORTS", "contradiction": "REFUTES", "neutral": "NOT ENOUGH INFO"}
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Checkouts:
    """What a user has: a checkout of promptsource, and one of the paper's code."""

    promptsource: Path | None = None
    paper: Path | None = None

    def sha256(self) -> str:
        """Of all templates that can come from here; empty without a checkout."""
        digest = hashlib.sha256()
        for way in _WAYS.values():
            if path := way.file(self):
                digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest() if self.promptsource or self.paper else ""


@dataclass(frozen=True, slots=True)
class _Way:
    """How the paper asks about a set.

    `place` is its file of templates, in promptsource a dataset's subset; `passage` is the Jinja
    that stands for the passage, `columns` are an item's as the templates name them.
    """

    place: str
    passage: str
    columns: Callable[[Item], dict[str, Any]]
    spans: bool = False
    instead: tuple[str, str] = ("", "")  # a word, and what the paper puts for it

    def file(self, checkouts: Checkouts) -> Path | None:
        """Where its templates are; None without the checkout."""
        if self.spans:
            if checkouts.promptsource is None:
                return None
            folder = templates_folder(checkouts.promptsource)
            return folder / "squadshifts" / self.place / "templates.yaml"
        return checkouts.paper and checkouts.paper / "templates" / "templates" / self.place

    def prompts(self, path: Path) -> list[Prompt]:
        """Its five.

        Raises:
            EvaluationError, TemplatesError: they cannot be read.
        """
        if not self.spans:
            return _read_paper(path)
        found = {one.name: one for one in read_prompts(path.parents[2], "squadshifts", self.place)}
        if missing := [name for name in _SPANS if name not in found]:
            raise EvaluationError(
                f"{path} lacks the template {missing[0]!r} that the paper asks by.",
                "Check out promptsource's main branch.",
            )
        return [
            replace(found[name], jinja=found[name].jinja.replace(*self.instead))
            if self.instead[0]
            else found[name]
            for name in _SPANS
        ]


def _squad(item: Item) -> dict[str, Any]:
    answers = [text for text in item.answers if text.strip()]
    marked = {"text": answers, "answer_start": [0] * len(answers)}
    return {"context": item.passage, "question": item.question, "title": "", "answers": marked}


def _pubmedqa(item: Item) -> dict[str, Any]:
    context = {"contexts": [item.passage]}
    return {"context": context, "question": item.question, "final_decision": item.label}


def _privacyqa(item: Item) -> dict[str, Any]:
    return {"text": item.passage, "question": item.question, "answer": item.label.capitalize()}


def _contractnli(item: Item) -> dict[str, Any]:
    label = _CONTRACTS.index(item.label)
    return {"premise": item.passage, "hypothesis": item.question, "label": label}


def _vitaminc(item: Item) -> dict[str, Any]:
    return {"evidence": item.passage, "claim": item.question, "label": _CLAIMS[item.label]}


_WAYS: Mapping[str, _Way] = {
    "pubmedqa": _Way("pubmed_qa.py", '{{ context.contexts | join(" ") }}', _pubmedqa),
    "privacyqa": _Way("privacy_policy_qa.py", "{{text}}", _privacyqa),
    "contractnli": _Way("contract_nli.py", "{{premise}}", _contractnli),
    "vitaminc": _Way("vitaminc.py", "{{evidence}}", _vitaminc),
    "squadshifts-amazon": _Way("amazon", "{{context}}", _squad, spans=True),
    "squadshifts-nyt": _Way("nyt", "{{context}}", _squad, spans=True),
    # The paper's code has it so.
    "squadshifts-reddit": _Way("amazon", "{{context}}", _squad, True, ("Amazon", "Reddit")),
}


@dataclass(frozen=True, slots=True)
class PaperTemplate:
    """One of the paper's; `texts` are the instructions of items, by id and question."""

    name: str
    choices: tuple[str, ...]
    texts: Mapping[tuple[str, str], str]

    def fill(self, item: Item, passage: str, kind: str) -> str:
        """The instruction for an item, with `passage` for its own."""
        return self.texts[item.id, item.question].replace(CONTEXT, passage.strip())


def whose(found: EvaluationSet, checkouts: Checkouts) -> str:
    """Whose templates a set is asked in, of those that are there; empty for none of the paper's."""
    way = _WAYS.get(found.name)
    if way is None or way.file(checkouts) is None:
        return ""
    return PROMPTSOURCE if way.spans else PAPER


def paper_templates(
    found: EvaluationSet, items: Sequence[Item], checkouts: Checkouts
) -> list[Template]:
    """The paper's templates for a set of which `whose` says that they are there.

    Raises:
        EvaluationError: a template cannot be used for an item or a label.
        TemplatesError: the templates cannot be read, or nothing renders them.
    """
    way = _WAYS[found.name]
    path = way.file(checkouts)
    assert path is not None  # noqa: S101 - `whose` says so
    prompts = way.prompts(path)
    templates: list[Jinja] = []
    for prompt in prompts:
        text = with_slot(prompt.jinja, way.passage)
        if text is None:
            raise EvaluationError(f"{path}: template {prompt.name!r} does not hold the passage.")
        templates.append(Jinja(prompt.name, found.task, text, prompt.choices))
    source = Source(found.name, (), way.passage, tuple(templates), cut=CUT)
    with Renderer() as renderer:
        shared, checked = renderer.check(source)
        for check in (shared, *checked):
            if check.error:
                raise EvaluationError(f"{path}: a template cannot be used: {check.error}.")
        renderer.open(source)
        made: list[Template] = []
        for nth, prompt in enumerate(prompts):
            choices = _choices(renderer, nth, prompt, found, way)
            texts = _texts(renderer, nth, prompt, items, way)
            made.append(PaperTemplate(prompt.name, choices, texts))
        return made


def _choices(
    renderer: Renderer, nth: int, prompt: Prompt, found: EvaluationSet, way: _Way
) -> tuple[str, ...]:
    """What a template says for each of the set's labels, which are its choices in their order."""
    asked = [Item(label, "A text.", "A question?", label) for label in found.labels]
    said = tuple(made.response for made in _made(renderer, nth, prompt, asked, way))
    listed = [one.strip() for one in (prompt.choices or "").split(SEPARATOR)]
    if found.labels and sorted(said) != sorted(listed):
        raise EvaluationError(
            f"Template {prompt.name!r} has the choices {listed}, and answers {list(said)}.",
            "Check its file out again.",
        )
    return said


def _texts(
    renderer: Renderer, nth: int, prompt: Prompt, items: Sequence[Item], way: _Way
) -> dict[tuple[str, str], str]:
    """One template's instructions of all items."""
    made = _made(renderer, nth, prompt, items, way)
    return {
        (item.id, item.question): one.instruction for item, one in zip(items, made, strict=True)
    }


def _made(
    renderer: Renderer, nth: int, prompt: Prompt, items: Sequence[Item], way: _Way
) -> Iterator[Made]:
    """What one template makes of each item."""
    asked = [Asked(nth, _seed(prompt.name, item), json.dumps(way.columns(item))) for item in items]
    for item, made in zip(items, renderer.make(asked), strict=True):
        if isinstance(made, str):
            raise EvaluationError(
                f"Template {prompt.name!r} cannot be used for item {item.id!r}: {made}.",
                "Check its file out again.",
            )
        yield made


def _seed(name: str, item: Item) -> int:
    """Of what a template draws at random for an item: the same in every run."""
    told = json.dumps([name, item.id, item.question]).encode()
    return int.from_bytes(hashlib.sha256(told).digest()[:8])


def _read_paper(path: Path) -> list[Prompt]:
    """Templates of the paper's code: a literal of Python's, which is read and never run."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise EvaluationError(f"{path} is too large for a file of templates.")
        held = ast.literal_eval(path.read_text("utf-8"))
        return [
            Prompt(str(name), str(one["jinja"]), str(one["answer_choices"]))
            for name, one in held["templates"].items()
        ]
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.",
            "--paper-code is a checkout of BatsResearch/nayak-aclfindings24-code.",
        ) from error
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError, MemoryError) as error:
        raise EvaluationError(
            f"{path} holds no templates of the paper's.", "Check the file out again."
        ) from error
