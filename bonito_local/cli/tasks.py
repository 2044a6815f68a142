"""`bonito-local tasks`."""

from __future__ import annotations

import json

import click

from bonito_local.jobs.own_tasks import find_tasks
from bonito_local.tasks import TASK_TYPES, TaskType


@click.command("tasks")
@click.argument("files", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(files: tuple[str, ...], as_json: bool) -> None:
    """List the 16 task types, or those of task FILES and folders, each with an example.

    The examples of the 16 are about one sentence: "Either party may end this agreement by
    giving thirty days' written notice."
    """
    tasks = [task for name in files for task in find_tasks(name)] or TASK_TYPES
    if as_json:
        click.echo(json.dumps([_plain(task) for task in tasks], indent=2))
        return
    for task in tasks:
        _show(task)


def _plain(task: TaskType) -> dict[str, object]:
    return {
        "short": task.short,
        "name": task.name,
        "meaning": task.meaning,
        "instruction": task.instruction,
        "response": task.response,
        "labels": list(task.labels),
    }


def _show(task: TaskType) -> None:
    short = click.style(f"{task.short:<14}", bold=True)
    click.echo(f"{short}{' ' if len(task.short) > 13 else ''}{task.name}: {task.meaning}")
    click.echo(f"{'':<14}  {task.instruction}\n{'':<14}  -> {task.response}")
    if task.labels:
        click.echo(f"{'':<14}  labels: {', '.join(task.labels)}")
