"""`bonito-local ask`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import say
from bonito_local.errors import UsageError
from bonito_local.jobs.signals import StopSignals
from bonito_local.models.catalog import resolve_model

_FORMS = {"adapted": "adapted", "zero-shot": "base"}
_STOPS = {"adapted": ("<|input|>",), "zero-shot": ("\n",)}


@click.command("ask")
@click.argument("model")
@click.argument("question", required=False)
@click.option("--passage", type=click.Path(path_type=Path), help="A text file to ask about.")
@click.option(
    "--prompt",
    default="adapted",
    show_default=True,
    type=click.Choice(list(_FORMS)),
    help="zero-shot: for a model that was never adapted.",
)
@click.option("--max-tokens", default=256, show_default=True, type=click.IntRange(1))
@click.option("--temperature", default=0.0, show_default=True, help="0 is greedy.")
@click.option("--seed", default=0, show_default=True)
def command(
    model: str,
    question: str | None,
    passage: Path | None,
    prompt: str,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> int:
    """Ask a model that was adapted, in the prompt that it was adapted with.

    MODEL is a GGUF file, as `bonito-local convert` makes of a base and the adapter of `train
    adapt`. Without a QUESTION, questions are read line by line until an empty line or the end.
    Compare it with the base: --prompt zero-shot asks that as the paper does.
    """
    from bonito_local.backends.base import Request, Sample, Sampling
    from bonito_local.jobs.spec import check_sampling
    from bonito_local.tasks import FORMS

    sampling = Sampling(1, temperature, 0.95, max_tokens, seed, _STOPS[prompt])
    check_sampling(sampling)
    about = _read(passage) if passage else ""
    path = resolve_model(model).path
    enter_air_gap(online=False)
    from bonito_local.backends.llamacpp.engine import LlamaCpp
    from bonito_local.backends.llamacpp.settings import Settings
    from bonito_local.writing.chat import turn_ends

    with closing(LlamaCpp(path, Settings(n_seq=1))) as backend, StopSignals() as signals:
        signals.interrupts = True
        sampling = replace(sampling, stop=sampling.stop + turn_ends(backend.metadata))
        for asked in [question] if question else _questions():
            whole = f"{about}\n\n{asked.strip()}" if about else asked
            request = Request("q", FORMS[_FORMS[prompt]].wrap(whole), sampling, (Sample(0, seed),))
            for done in backend.generate([request]):
                if done.error:
                    raise UsageError(done.error, "Ask about less, or use another model.")
                say(done.text.strip())
    return 0


def _questions() -> Iterator[str]:
    """Lines from the terminal or a pipe, up to an empty one."""
    shown = sys.stdin.isatty()
    while True:
        if shown:
            say("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line.strip():
            return
        yield line


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read: {said}.", "Give a text file.") from error
