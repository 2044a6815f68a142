"""An evaluation, from what a user asks for to results: what front ends and recipes call."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bonito_local import __version__
from bonito_local.backends.adapter import read_adapter
from bonito_local.backends.base import Backend, EngineOptions, Plan
from bonito_local.backends.likelihood import Scorer
from bonito_local.backends.registry import open_backend, open_scorer
from bonito_local.bounds import user_path
from bonito_local.errors import EvaluationError, OutputError
from bonito_local.evaluation.papers import Checkouts, paper_templates, whose
from bonito_local.evaluation.protocol import Answered, Asked, draw_items, fit, quote, rank
from bonito_local.evaluation.results import (
    OWN,
    Drawn,
    Results,
    SetResult,
    read_drawn,
    read_results,
    write_results,
)
from bonito_local.evaluation.sets import EvaluationSet
from bonito_local.evaluation.templates import Template, templates_of
from bonito_local.tasks import FORMS

Notify = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        model: a GGUF file or a checkpoint folder; `sha256` is its hash, in hex.
        backend: the engine, by name; `options` is what the user says about it.
        form: how the model is asked, one of `FORMS`.
        sets: on what, each with its file.
        output: folder of the results, which another run goes on with.
        limit: most items of a set, drawn by `seed`, as the intervals' resamples are.
        passage_tokens: most tokens of a passage; else what the context holds.
        checkouts: whose templates take the place of this package's.
    """

    model: Path
    sha256: str
    backend: str
    form: str
    sets: tuple[tuple[EvaluationSet, Path], ...]
    output: Path
    options: EngineOptions = field(default_factory=EngineOptions)
    limit: int | None = None
    seed: int = 0
    passage_tokens: int | None = None
    checkouts: Checkouts = field(default_factory=Checkouts)

    def about(self) -> dict[str, Any]:
        """What the results depend on, but for the sets."""
        adapter = self.options.adapter
        return {
            "model": self.model.name,
            "model_sha256": self.sha256,
            "adapter": Path(adapter).name if adapter else "",
            "adapter_sha256": read_adapter(user_path(adapter)).sha256 if adapter else "",
            "backend": self.backend,
            "quantization": self.options.quantization,
            "prompt": self.form,
            "limit": self.limit,
            "seed": self.seed,
            "passage_tokens": self.passage_tokens,
            "templates_sha256": self.checkouts.sha256(),
            "version": __version__,
        }


def evaluate(wanted: Evaluation, notify: Notify = lambda *_: None) -> Results:
    """Evaluate on each set in turn; the results so far are written after each.

    A set that the folder has results of already, from the same file, is not run again.

    Raises:
        OutputError: the folder has results of something else, or cannot be written.
        BonitoError: a set, the model or the engine cannot be used.
    """
    about = wanted.about()
    earlier = read_results(wanted.output)
    if earlier and earlier.about != about:
        names = [name for name, value in about.items() if earlier.about.get(name) != value]
        raise OutputError(
            f"{wanted.output} has results with another {', '.join(names)}.",
            "Name another folder with -o.",
        )
    results = earlier or Results(about)
    done = {(one.name, one.sha256) for one in results.sets}
    left = [
        (found, path, digest)
        for found, path in wanted.sets
        if (found.name, digest := _sha256(path)) not in done
    ]
    if not left:
        return results
    drawn = read_drawn(wanted.output) if earlier else []
    items = {
        found.name: draw_items(found.read(path), wanted.limit, wanted.seed)
        for found, path, _ in left
    }
    templates = {
        found.name: paper_templates(found, items[found.name], wanted.checkouts)
        if whose(found, wanted.checkouts)
        else templates_of(found)
        for found, _, _ in left
    }
    plan = Plan(wanted.sha256, options=wanted.options)
    with (
        closing(open_backend(wanted.backend, wanted.model, plan)) as backend,
        closing(open_scorer(wanted.backend, backend)) as scorer,
    ):
        for found, path, digest in left:
            begun = time.monotonic()
            form = FORMS[wanted.form]
            of = templates[found.name]
            asked = fit(backend, found, items[found.name], of, form, wanted.passage_tokens)
            answered = _answer(backend, scorer, found, asked, of, wanted, notify)
            seconds = time.monotonic() - begun
            words = whose(found, wanted.checkouts) or OWN
            result = _result(found, path, digest, asked, answered, words, seconds)
            results = Results(
                about, (*(one for one in results.sets if one.name != found.name), result)
            )
            drawn = [one for one in drawn if one.set != found.name]
            drawn += _drawn(found, asked, answered)
            write_results(wanted.output, results, drawn)
    return results


def _answer(
    backend: Backend,
    scorer: Scorer,
    found: EvaluationSet,
    asked: Asked,
    templates: list[Template],
    wanted: Evaluation,
    notify: Notify,
) -> Answered:
    form = FORMS[wanted.form]

    def told(done: int, total: int) -> None:
        notify(found.title, done, total)

    told(0, len(templates) * len(asked.items))
    if found.labels:
        return rank(scorer, found, asked.items, templates, form, wanted.seed, told)
    return quote(backend, found, asked.items, templates, form, wanted.seed, told)


def _result(
    found: EvaluationSet,
    path: Path,
    digest: str,
    asked: Asked,
    answered: Answered,
    words: str,
    seconds: float,
) -> SetResult:
    def percent(share: float) -> float:
        return round(100 * share, 2)

    return SetResult(
        found.name,
        found.title,
        found.metric,
        percent(answered.f1.value),
        percent(answered.f1.low),
        percent(answered.f1.high),
        None if answered.best is None else percent(answered.best),
        {name: percent(share) for name, share in answered.by_template.items()},
        len(asked.items),
        asked.shortened,
        asked.left_out,
        path.name,
        digest,
        found.note,
        round(seconds, 1),
        words,
    )


def _drawn(found: EvaluationSet, asked: Asked, answered: Answered) -> list[Drawn]:
    return [
        Drawn(
            found.name,
            item.id,
            item.label or item.answers[0],
            [row[at] for row in answered.drawn],
        )
        for at, item in enumerate(asked.items)
    ]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read: {error.strerror}.", "Check the path."
        ) from error
