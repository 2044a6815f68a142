"""The paper's protocol: rank classification, or greedy answers, over a set's templates.

Rank classification takes the choice whose log-probability after the prompt is highest, summed
over its tokens. Spans are drawn greedily, at most 25 tokens of them, and compared with the first
annotator's answer (BatsResearch/nayak-aclfindings24-code, evaluate_decoder.py and
merge_and_evaluate_squad.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bonito_local.backends.base import Backend, Request, Sample, Sampling
from bonito_local.backends.likelihood import Question, Scorer
from bonito_local.errors import EvaluationError
from bonito_local.evaluation.items import Item
from bonito_local.evaluation.metrics import Estimate, bootstrap, mean_macro_f1, token_f1
from bonito_local.evaluation.sets import EvaluationSet
from bonito_local.evaluation.shorten import shorten
from bonito_local.evaluation.templates import Template
from bonito_local.tasks import PromptForm

ANSWER_TOKENS = 25
_LEAST_ROOM = 16  # tokens of a passage, below which nothing can be asked about it
_REMEMBERED = 4096  # texts whose tokens are counted
_SPARE = 4  # tokens that a passage may have more where it stands in a prompt
Notify = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Items as they are put to a model, and how many did not fit as they are.

    Attributes:
        items: with passages of a length that fits.
        shortened: how many of these are.
        left_out: how many more had to be left out, since nothing of their passage fits.
    """

    items: list[Item]
    shortened: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model made of a set.

    `drawn` is (templates, items) of labels or of answers, `by_template` the F1 of each template.
    `best` is the F1 against the best of all annotators' answers, where answers are spans.
    """

    f1: Estimate
    by_template: dict[str, float]
    drawn: list[list[str]]
    best: float | None = None


def draw_items(items: list[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` of the items, drawn by `seed`, in their order."""
    if limit is None or limit >= len(items):
        return items
    chosen = sorted(random.Random(seed).sample(range(len(items)), limit))
    return [items[at] for at in chosen]


def fit(
    backend: Backend,
    found: EvaluationSet,
    items: Sequence[Item],
    templates: Sequence[Template],
    form: PromptForm,
    passage_tokens: int | None,
) -> Asked:
    """Shorten what does not fit; each item is the same text in all templates."""
    kept: list[Item] = []
    shortened = left_out = 0
    answer = max(
        [ANSWER_TOKENS, *(backend.count_tokens(c) + 1 for one in templates for c in one.choices)]
    )
    # Items share their documents' sentences.
    count = lru_cache(_REMEMBERED)(backend.count_tokens)
    for item in items:
        around = max(
            backend.count_tokens(form.wrap(one.fill(item, "", found.kind))) for one in templates
        )
        room = backend.context_length - around - answer - _SPARE - 1  # BOS
        room = min(room, passage_tokens or room)
        if room < _LEAST_ROOM:
            left_out += 1
            continue
        passage = shorten(item.passage, item.question, room, count)
        shortened += passage != item.passage
        kept.append(Item(item.id, passage, item.question, item.label, item.answers))
    if not kept:
        raise EvaluationError(
            f"No item of {found.title} fits the model's context.", "Use a model with a longer one."
        )
    return Asked(kept, shortened, left_out)


def rank(
    scorer: Scorer,
    found: EvaluationSet,
    items: Sequence[Item],
    templates: Sequence[Template],
    form: PromptForm,
    seed: int,
    notify: Notify = lambda *_: None,
) -> Answered:
    """Rank classification: macro F1, over all templates.

    Raises:
        EvaluationError: a template has not as many choices as the set has labels.
        BackendError: the engine failed.
    """
    for one in templates:
        if len(one.choices) != len(found.labels):
            raise EvaluationError(
                f"Template {one.name!r} has {len(one.choices)} choices; {found.title} has "
                f"{len(found.labels)} labels.",
                "Give a choice for each label, in their order.",
            )

    def questions() -> Iterator[Question]:
        for nth, _, prompt in _prompts(found, items, templates, form):
            yield Question(prompt, templates[nth].choices, form.ends)

    total = len(templates) * len(items)
    best = np.empty(total, np.int64)
    for nth, logs in enumerate(scorer.answers(questions())):
        if logs is None:
            raise EvaluationError("A prompt does not fit the model's context.", "Report this.")
        best[nth] = int(np.argmax(logs))
        notify(nth + 1, total)
    drawn = best.reshape(len(templates), len(items))
    right = np.array([found.labels.index(item.label) for item in items])
    classes = len(found.labels)
    return Answered(
        bootstrap(lambda at: mean_macro_f1(right[at], drawn[:, at], classes), len(items), seed),
        {
            one.name: mean_macro_f1(right, row[None], classes)
            for one, row in zip(templates, drawn, strict=True)
        },
        [[found.labels[label] for label in row] for row in drawn],
    )


def _prompts(
    found: EvaluationSet, items: Sequence[Item], templates: Sequence[Template], form: PromptForm
) -> Iterator[tuple[int, int, str]]:
    """Number of the template, number of the item, prompt: every item by each template in turn."""
    for nth, one in enumerate(templates):
        for at, item in enumerate(items):
            yield nth, at, form.wrap(one.fill(item, item.passage, found.kind))


def quote(
    backend: Backend,
    found: EvaluationSet,
    items: Sequence[Item],
    templates: Sequence[Template],
    form: PromptForm,
    seed: int,
    notify: Notify = lambda *_: None,
) -> Answered:
    """Greedy answers: SQuAD's token F1, over all templates.

    Raises:
        EvaluationError: a prompt does not fit.
        BackendError: the engine failed.
    """
    greedy = Sampling(temperature=0.0, max_tokens=ANSWER_TOKENS)

    def requests() -> Iterator[Request]:
        for nth, at, prompt in _prompts(found, items, templates, form):
            yield Request(f"{nth} {at}", prompt, greedy, (Sample(0, 0),))

    drawn = [[""] * len(items) for _ in templates]
    total = len(templates) * len(items)
    for done, completion in enumerate(backend.generate(requests()), 1):
        if completion.finish_reason == "failed":
            raise EvaluationError(f"A prompt failed: {completion.error}", "Report this.")
        nth, at = map(int, completion.request_id.split())
        drawn[nth][at] = completion.text.strip()
        notify(done, total)
    first = np.array(
        [[token_f1(text, item.answers[0]) for text, item in _pairs(row, items)] for row in drawn]
    )
    best = np.array(
        [
            [
                max(token_f1(text, right) for right in item.answers)
                for text, item in _pairs(row, items)
            ]
            for row in drawn
        ]
    )
    by_item = first.mean(0)
    return Answered(
        bootstrap(lambda at: float(by_item[at].mean()), len(items), seed),
        {one.name: float(row.mean()) for one, row in zip(templates, first, strict=True)},
        drawn,
        float(best.mean()),
    )


def _pairs(row: list[str], items: Sequence[Item]) -> Iterator[tuple[str, Item]]:
    return zip(row, items, strict=True)
