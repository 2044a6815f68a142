"""`bonito-local tune`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

import click
from rich.console import Console
from rich.table import Table

from bonito_local.backends.llamacpp.measuring import Mix, describe
from bonito_local.backends.llamacpp.opening import usual_mix
from bonito_local.backends.llamacpp.remembered import remember
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.backends.llamacpp.tuning import Tuning, tune
from bonito_local.cli.talk import quiet, say
from bonito_local.convert.manifest import read_manifest
from bonito_local.errors import ConvertError
from bonito_local.models.catalog import ModelFile, resolve_model


@click.command("tune")
@click.argument("models", nargs=-1, required=True)
@click.option("--prompt", type=click.IntRange(16), help="Tokens of a prompt. [the model's own]")
@click.option("--completion", type=click.IntRange(1), help="Tokens of a row. [64]")
@click.option("--n", default=1, type=click.IntRange(1), show_default=True, help="Rows a passage.")
@click.option("--seconds", default=40.0, show_default=True, help="For each model, about.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    models: tuple[str, ...],
    prompt: int | None,
    completion: int | None,
    n: int,
    seconds: float,
    as_json: bool,
) -> None:
    """Measure what runs MODELS fastest on this machine, and remember it.

    A model is a name or a GGUF file. Give several quantizations of one model to see which
    is fastest here, beside what each loses as `bonito-local verify` measured it.
    """
    console = Console()
    found: list[tuple[ModelFile, Tuning]] = []
    for model in [resolve_model(name) for name in models]:
        usual = usual_mix(model.path, n)
        mix = Mix(prompt or usual.prompt, completion or usual.completion, n)
        with _shown(f"measuring {model.name}") as notify:
            tuning = tune(model.path, mix, seconds, notify=notify)
        remember(model.sha256, mix, tuning, model.path)
        found.append((model, tuning))
        if not as_json:
            console.print(_table(model, mix, tuning))
            console.print(f"Fastest: {describe(tuning.best)}\n")
    if as_json:
        say(json.dumps([_plain(model, tuning) for model, tuning in found], indent=2))
    elif len(found) > 1:
        console.print(_comparison(found))


def _plain(model: ModelFile, tuning: Tuning) -> dict[str, object]:
    tried = [
        {
            "settings": asdict(each.settings),
            "prefill_tokens_per_second": each.prefill,
            "drawn_tokens_per_second": each.decode,
            "rows_per_second": 1 / each.seconds,
            "best": each == tuning.best,
        }
        for each in tuning.tried
    ]
    return {"model": model.name, "path": str(model.path), "sha256": model.sha256, "tried": tried}


@contextmanager
def _shown(text: str) -> Iterator[Callable[[str], None]]:
    """What is being tried: one line that is written over on a terminal, else a line each."""
    console = Console(stderr=True)
    if quiet():
        yield lambda _: None
        return
    if not console.is_terminal:
        say(text, err=True)
        yield partial(say, err=True)
        return
    with console.status(text) as status:
        yield status.update


def _table(model: ModelFile, mix: Mix, tuning: Tuning) -> Table:
    title = f"{model.name}: {mix.prompt} prompt tokens, {mix.completion} a row, {mix.n} rows each"
    table = Table("setting", "prefill tokens/s", "drawn tokens/s", "rows/s", title=title)
    for tried in tuning.tried:
        name = _difference(tuning.tried[0].settings, tried.settings)
        style = "bold green" if tried == tuning.best else ""
        speeds = (f"{tried.prefill:.0f}", f"{tried.decode:.0f}", f"{1 / tried.seconds:.2f}")
        table.add_row(name, *speeds, style=style)
    return table


def _difference(usual: Settings, settings: Settings) -> str:
    """What is set otherwise than by default, field by field."""
    changed = [
        f"{name} {getattr(settings, name)}"
        for name in Settings.__slots__
        if getattr(settings, name) != getattr(usual, name)
    ]
    return ", ".join(changed) or "the defaults"


def _comparison(found: list[tuple[ModelFile, Tuning]]) -> Table:
    table = Table("model", "size", "rows/s", "loss (KL, nats a token)", title="Which is fastest")
    for model, tuning in sorted(found, key=lambda pair: pair[1].best.seconds):
        rate = f"{1 / tuning.best.seconds:.2f}"
        table.add_row(model.name, f"{model.path.stat().st_size / 1e9:.2f} GB", rate, _loss(model))
    return table


def _loss(model: ModelFile) -> str:
    try:
        manifest = read_manifest(model.path) or {}
    except ConvertError:
        manifest = {}
    verified = manifest.get("verification")
    loss = verified.get("mean_kl") if isinstance(verified, dict) else None
    return f"{loss:.4f}" if isinstance(loss, float) else "not measured: bonito-local verify"
