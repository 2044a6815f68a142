"""`bonito-local new`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.cli.completing import tasks as complete_tasks
from bonito_local.cli.talk import say_line
from bonito_local.errors import UsageError
from bonito_local.jobs.newjob import write_job
from bonito_local.jobs.own_tasks import find_tasks
from bonito_local.jobs.spec import parse_tasks


@click.command("new")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "-t",
    "--task",
    shell_complete=complete_tasks,
    required=True,
    help="Task types or task files: exqa,ynqa.",
)
@click.option("-o", "--output", default="dataset", show_default=True)
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Name, or GGUF file.")
@click.option("--backend", default="llamacpp", show_default=True, help="Engine.")
def command(paths: tuple[str, ...], task: str, output: str, model: str, backend: str) -> None:
    """Write a job file, with every setting there is, to be edited and run.

    PATHS are documents and folders. If the first ends with .toml it is the file to write,
    else that is job.toml.
    """
    named = paths[0].endswith(".toml")
    file = Path(paths[0] if named else "job.toml")
    documents = paths[1:] if named else paths
    if not documents:
        raise UsageError("No documents were named.", f"bonito-local new {file} FOLDER --task ...")
    parse_tasks(task)
    tasks = [_task(file, name.strip()) for name in task.split(",") if name.strip()]
    write_job(file, [_from(file, d) for d in documents], tasks, _from(file, output), model, backend)
    say_line(f"Wrote {file}. `bonito-local run {file}` runs it.")


def _task(file: Path, name: str) -> str:
    """A task type's short name, or its file as seen from the folder of the job file."""
    own = any(task.own for task in find_tasks(name))
    return _from(file, name) if own else find_tasks(name)[0].short


def _from(file: Path, name: str) -> str:
    """A path as seen from the folder of the job file."""
    path = Path(name)
    if path.is_absolute() or file.parent == Path():
        return name
    return os.path.relpath(path, file.parent)
