"""`bonito-local preview`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from contextlib import chdir, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.cli.completing import tasks as complete_tasks
from bonito_local.cli.talk import say
from bonito_local.errors import UsageError
from bonito_local.jobs.estimate import Estimate, estimate
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.jobfile import read_job
from bonito_local.jobs.preview import Found, look
from bonito_local.jobs.prompts import STYLES, Style
from bonito_local.jobs.spec import parse_tasks
from bonito_local.passages.discover import check_paths
from bonito_local.passages.survey import survey

_WIDTH = 96


@click.command("preview")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--task",
    shell_complete=complete_tasks,
    help="Task types, comma-separated; without them only passages.",
)
@click.option("-m", "--model", help=f"Name, or GGUF file.  [{DEFAULT_MODEL}, or the job file's]")
@click.option("--prompt", type=click.Choice(STYLES), help="How to ask the model.")
@click.option("--rows", default=5, show_default=True, type=click.IntRange(0), help="Rows drawn.")
@click.option("--json", "as_json", is_flag=True, help="What is found, a line of JSON each.")
def command(
    paths: tuple[Path, ...],
    task: str | None,
    model: str | None,
    prompt: Style | None,
    rows: int,
    as_json: bool,
) -> None:
    """Show passages as they would be split, and a few rows as they would be drawn.

    PATHS is a job file, or documents and folders. Nothing is written, and what reads the
    documents has no network.
    """
    wanted = _wanted(paths, task, model)
    wanted = replace(wanted, prompt=prompt or wanted.prompt)
    show = _show_plain if as_json else _show
    with chdir(wanted.folder or Path()):
        check_paths(wanted.paths)
        with closing(look(wanted, rows if wanted.tasks else 0)) as looking:
            show(looking, wanted)


def _show_plain(looking: Iterable[Found], wanted: Generation) -> None:
    """Each thing as it is found: its kind and fields; a row names its passage by number, from 0."""
    for found in looking:
        data = {"kind": found.kind, **found.data}
        if found.kind == "end":
            density = data.pop("density")
            data["whole"] = asdict(_whole(wanted, density)) if wanted.tasks else None
        say(json.dumps(data))


def _show(looking: Iterable[Found], wanted: Generation) -> None:
    passages: list[dict[str, Any]] = []
    for found in looking:
        data = found.data
        if found.kind == "passage":
            passages.append(data)
            say(_passage(len(passages), data))
        elif found.kind == "row":
            say(_row(data, passages[data["passage"]]))
        elif found.kind == "problem":
            told = f"{data['source']}: {data['title']} {data['remedy']}"
            say(told.strip(), err=True)
        elif found.kind == "note":
            say(data["text"], err=True)
        elif found.kind == "end" and wanted.tasks:
            if data["rows"]:
                say(f"{data['rows']} rows in {data['seconds']:.1f} s")
            say(f"The whole job: {_whole(wanted, data['density'])}.")


def _whole(wanted: Generation, density: dict[str, float]) -> Estimate:
    return estimate(survey(wanted.paths), wanted, density)


def _wanted(paths: tuple[Path, ...], task: str | None, model: str | None) -> Generation:
    tasks = parse_tasks(task) if task else None
    if len(paths) == 1 and paths[0].suffix == ".toml":
        wanted = read_job(paths[0])
    elif any(path.suffix == ".toml" for path in paths):
        raise UsageError("A job file stands alone.", "Name it, or documents and folders.")
    else:
        wanted = Generation(paths, (), Path("preview"), DEFAULT_MODEL)
    return replace(wanted, tasks=tasks or wanted.tasks, model=model or wanted.model)


def _passage(number: int, data: dict[str, Any]) -> str:
    page = f", page {data['page']}" if data["page"] else ""
    heading = f" · {data['heading']}" if data["heading"] else ""
    head = f"{number} · {data['source']}{page}{heading} · {data['tokens']} tokens"
    return "\n".join([head, *_wrapped(data["text"], "  "), ""])


def _row(data: dict[str, Any], passage: dict[str, Any]) -> str:
    why = f": {data['reason']}" if data["reason"] else ""
    instruction = data["instruction"].replace(passage["text"].strip(), "[passage]")
    lines = [f"{data['task']} · {passage['source']} · {data['outcome']}{why}"]
    if data["instruction"]:
        lines += _wrapped(instruction, "  input   ") + _wrapped(data["response"], "  output  ")
        lines += _wrapped(data["reasoning"], "  because ")
    else:
        lines += _wrapped(data["completion"], "  wrote   ")
    return "\n".join([*lines, ""])


def _wrapped(text: str, first: str) -> list[str]:
    indent = " " * len(first)
    text = " ".join(text.split())
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent)
