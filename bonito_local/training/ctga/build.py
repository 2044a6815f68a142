"""Builds rows of conditional task generation: a prompt for Bonito, and what it is to write.

The recipe is the paper's (arXiv 2402.18334): at most so many examples of a dataset, one of its
templates drawn for each, the passage in it replaced by `{{context}}`, and rows whose response is
empty dropped. A row has the columns of BatsResearch/ctga-v1.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from bonito_local.errors import TrainingError
from bonito_local.exports.staging import write_private
from bonito_local.tasks import PIPE, format_prompt, task_type
from bonito_local.templating.rendering import Asked, Checked, Made, Renderer
from bonito_local.templating.source import Source, Template
from bonito_local.training.ctga.counts import TOO_LONG, Counts, LeftOut, Unused
from bonito_local.training.ctga.drawing import Drawn, Survey, draw, survey
from bonito_local.training.ctga.examples import read_examples
from bonito_local.training.ctga.output import ShuffledRows
from bonito_local.training.ctga.plan import Plan

_SEE = "docs/ctga.md says what a dataset is to hold."
_BATCH = 32  # rows that the renderer is asked for together


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `examples` of a dataset, and rows of `chars` characters in input and in output."""

    examples: int = 100_000
    chars: int = 8192  # about the 2,048 tokens that the paper trains on


def build(
    plan: Plan,
    output: Path,
    limits: Limits,
    seed: int,
    notify: Callable[[str, Counts], None] = lambda _dataset, _counts: None,
) -> Counts:
    """Write the rows of a plan to `output`, and what became of every example beside it.

    Rows depend on the data, the templates and the seed alone, and so does their order. `notify`
    is called after each dataset.

    Raises:
        TrainingError: no dataset can be used, or no example became a row.
        OutputError: the file cannot be written. Either way the one there is untouched.
    """
    counts = Counts(left_out=list(plan.left_out), unused=list(plan.unused), absent=plan.absent)
    with Renderer() as renderer:
        ready = [
            (usable, found)
            for source in plan.sources
            for usable, found in _prepare(source, renderer, limits, seed, counts)
        ]
        if not ready:
            why = "; ".join(f"{one.dataset}: {one.why}" for one in counts.unused[:3])
            remedies = [one.remedy for one in counts.unused if one.remedy]
            raise TrainingError(f"No dataset can be used. {why}".strip(), "".join(remedies[:1]))
        with ShuffledRows(output) as rows:
            for source, found in ready:
                for row in _rows(source, found, renderer, limits, seed, counts):
                    rows.add(row)
                notify(source.label, counts)
            if not counts.rows:
                why = ", ".join(f"{n} {name}" for name, n in counts.reasons().most_common(3))
                raise TrainingError(f"No example became a row: {why}.", "Look at the templates.")
    report = {
        **counts.plain(),
        "seed": seed,
        "limits": asdict(limits),
        "licenses": {one.label: one.licence for one, _ in ready if one.licence},
    }
    write_private(report_path(output), json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return counts


def report_path(output: Path) -> Path:
    """Where the counts lie, beside the rows."""
    return output.with_suffix(".report.json")


def _prepare(
    source: Source, renderer: Renderer, limits: Limits, seed: int, counts: Counts
) -> Iterator[tuple[Source, Survey]]:
    """Read a source once; yield it with the templates that can be used, if there are any."""
    if not source.templates:
        counts.unused.append(Unused(source.label, "no template of it holds the passage"))
        return
    try:
        examples = read_examples(source.files, source.header)
        found = survey(examples, limits.examples, seed, source.label)
    except TrainingError as error:
        counts.unused.append(Unused(source.label, error.title, error.remedy))
        return
    if not found.examples:
        lines = f": {found.unreadable} lines are none" if found.unreadable else ""
        counts.unused.append(Unused(source.label, f"it holds no examples{lines}", _SEE))
        return
    shared, checked = renderer.check(source)
    if why := _why_not(shared, found):
        counts.unused.append(Unused(source.label, why, _SEE))
        return
    usable: list[Template] = []
    for template, check in zip(source.templates, checked, strict=True):
        if lacks := _why_not(check, found):
            counts.left_out.append(LeftOut(source.label, template.name, lacks))
        else:
            usable.append(template)
    if usable:
        yield replace(source, templates=tuple(usable)), found
    else:
        first = _why_not(checked[0], found)
        counts.unused.append(Unused(source.label, f"no template can be used: {first}", _SEE))


def _why_not(check: Checked, found: Survey) -> str:
    if check.error:
        return check.error
    lacks = ", ".join(sorted(check.columns - found.columns))
    has = ", ".join(sorted(found.columns)[:20])
    return f"asks for {lacks}; the columns are {has}" if lacks else ""


def _rows(
    source: Source, found: Survey, renderer: Renderer, limits: Limits, seed: int, counts: Counts
) -> Iterator[dict[str, Any]]:
    """Yield a source's rows, and count every example."""
    renderer.open(source)
    examples = read_examples(source.files, source.header)
    drawn = _counted(draw(examples, found, seed, source.label), source, counts)
    while asked := [_ask(source, one) for one in islice(drawn, _BATCH)]:
        for one, made in zip(asked, renderer.make(asked), strict=True):
            template = source.templates[one.template]
            row = made if isinstance(made, str) else _row(source, template, made, limits)
            if isinstance(row, str):
                counts.dropped[source.label, row] += 1
                continue
            counts.rows[source.label, template.task] += 1
            counts.cut[source.label] += isinstance(made, Made) and made.cut
            yield row


def _counted(drawn: Iterator[Drawn | str], source: Source, counts: Counts) -> Iterator[Drawn]:
    for one in drawn:
        counts.read[source.label] += 1
        if isinstance(one, str):
            counts.dropped[source.label, one] += 1
        else:
            yield one


def _ask(source: Source, one: Drawn) -> Asked:
    chance = random.Random(one.key)
    return Asked(chance.randrange(len(source.templates)), chance.getrandbits(64), one.example)


def _row(source: Source, template: Template, made: Made, limits: Limits) -> dict[str, Any] | str:
    task = task_type(template.task)
    prompt = format_prompt(task, made.passage)
    output = f"{made.instruction}\n{PIPE}\n{made.response}"
    if len(prompt) > limits.chars or len(output) > limits.chars:
        return TOO_LONG
    return {
        "input": prompt,
        "output": output,
        "context": made.passage,
        "task_input": made.instruction,
        "task_output": made.response,
        "dataset": source.name,
        "dataset_config": source.subset,
        "task_type": task.name,
    }
