"""`bonito-local evaluate`."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from bonito_local.backends.base import EngineOptions
from bonito_local.backends.registry import check_scores
from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import redraw, say
from bonito_local.errors import EvaluationError
from bonito_local.jobs.engine import check_engine, settle
from bonito_local.jobs.generation import Generation

if TYPE_CHECKING:
    from bonito_local.evaluation.results import Results

_PATH = click.Path(path_type=Path)


@click.command("evaluate")
@click.argument("model")
@click.option("--data", required=True, type=_PATH, help="Folder of the evaluation sets.")
@click.option(
    "--prompt",
    "form",
    required=True,
    type=click.Choice(["base", "adapted", "mistral"]),
    help="How the model was trained to be asked.",
)
@click.option("-o", "--output", required=True, type=_PATH, help="Folder of the results.")
@click.option("-s", "--set", "sets", default="", help="Sets, comma-separated; else all in --data.")
@click.option("--backend", default="auto", show_default=True, help="Engine.")
@click.option("--adapter", default="", help="Folder of a LoRA adapter, applied unmerged.")
@click.option("--quantization", default="", help="Quantize a checkpoint as it loads: nf4, fp8.")
@click.option("--limit", type=click.IntRange(min=1), help="Most items of a set, drawn by --seed.")
@click.option("--seed", default=0, show_default=True)
@click.option("--passage-tokens", type=click.IntRange(min=16), help="Most tokens of a passage.")
@click.option("--promptsource", type=_PATH, help="A checkout of it: its templates for SQuADShifts.")
@click.option(
    "--paper-code", type=_PATH, help="A checkout of the paper's code: its templates for the others."
)
@click.option("--download", is_flag=True, help="Fetch sets that --data lacks from the hub.")
def command(
    model: str,
    data: Path,
    form: str,
    output: Path,
    sets: str,
    backend: str,
    adapter: str,
    quantization: str,
    limit: int | None,
    seed: int,
    passage_tokens: int | None,
    promptsource: Path | None,
    paper_code: Path | None,
    download: bool,
) -> None:
    """Measure a model on the Bonito paper's evaluation sets, by its protocol.

    MODEL is a name, a GGUF file or a checkpoint folder. Each set is asked in five templates: macro
    F1 of the likeliest choice, or token F1 of a greedy answer, with 95 % intervals. The results
    go to the folder --output, where the same command goes on.

    Without --download nothing here has a network.
    """
    from bonito_local.evaluation.evaluate import Evaluation, evaluate
    from bonito_local.evaluation.papers import Checkouts
    from bonito_local.evaluation.sets import find_sets

    options = EngineOptions(adapter=adapter, quantization=quantization)
    engine, why = settle(Generation((), (), output, model, backend, engine=options))
    if why:
        say(f"backend: {engine.backend}, since {why}", err=True)
    check_scores(engine.backend)
    file = check_engine(engine).file
    if download:
        _download(sets, data)
    chosen = [(one, path) for one in find_sets(sets, data) if (path := one.find(data))]
    enter_air_gap(False, engine)
    wanted = Evaluation(
        file.path,
        file.sha256,
        engine.backend,
        form,
        tuple(chosen),
        output,
        options,
        limit,
        seed,
        passage_tokens,
        Checkouts(promptsource, paper_code),
    )
    with _Shown() as shown:
        results = evaluate(wanted, shown.show)
    _print(results)


def _download(sets: str, data: Path) -> None:
    """Fetch what is missing, in a process of its own: this one is to give the network up."""
    from bonito_local.child import AnsweringChild
    from bonito_local.evaluation.download import SOURCES
    from bonito_local.evaluation.sets import named_sets

    wanted = [one for one in named_sets(sets) if one.find(data) is None and one.name in SOURCES]
    if not wanted:
        return
    names = [one.name for one in wanted]
    say(f"fetching {', '.join(names)}", err=True)
    request = {"data": str(data.resolve()), "sets": names}
    with closing(AnsweringChild("bonito_local.evaluation.download", request)) as child:
        answers = list(child.answers())
    for answer in answers:
        if "title" in answer:
            raise EvaluationError(answer["title"], answer["remedy"])
        say(f"{answer['set']}: {answer['items']} items", err=True)
    if len(answers) < len(wanted):
        raise EvaluationError("The download broke off.", "Run the same command again.")


class _Shown:
    """One line for each set on stderr, written over as it goes on where that is a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._last = ("", -1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._on and self._last[0]:
            say("", err=True)

    def show(self, title: str, done: int, total: int) -> None:
        """Show how many of a set's prompts are answered."""
        now = (title, 100 * done // total)
        if now == self._last:
            return
        begins = title != self._last[0]
        if self._on:
            if begins and self._last[0]:
                say("", err=True)
            redraw(f"{title}: {done} of {total} prompts")
        elif begins:
            say(f"{title}: {total} prompts", err=True)
        self._last = now


def _print(results: Results) -> None:
    from rich.console import Console
    from rich.table import Table

    from bonito_local.evaluation.results import OWN

    table = Table("set", "metric", "F1", "95 % interval", "templates", "items")
    for one in results.sets:
        spread = f"{min(one.templates.values()):.1f} to {max(one.templates.values()):.1f}"
        table.add_row(
            one.title,
            one.metric,
            f"{one.f1:.1f}",
            f"{one.low:.1f} to {one.high:.1f}",
            spread,
            str(one.items),
        )
    if len(results.sets) > 1:
        table.add_section()
        table.add_row("mean", "", f"{results.mean:.1f}", "", "", "")
    console = Console()
    console.print(table)
    for one in results.sets:
        told = [one.note] if one.note else []
        if one.words != OWN:
            told.append(f"Asked in the templates of {one.words}.")
        if one.shortened:
            told.append(f"{one.shortened} of {one.items} passages were shortened to fit.")
        if one.left_out:
            told.append(f"{one.left_out} items were left out: nothing of their passage fits.")
        if told:
            console.print(f"{one.title}: {' '.join(told)}", highlight=False)
