"""`bonito-local tasks`."""

from __future__ import annotations

import json

import click

from bonito_local.cli.talk import say, say_styled
from bonito_local.errors import UsageError
from bonito_local.jobs.own_tasks import find_tasks
from bonito_local.printable import one_line
from bonito_local.tasks import TASK_TYPES, TaskType
from bonito_local.writing.promptset import CONVERSATION, NAMES, package_prompts


@click.command("tasks")
@click.argument("files", nargs=-1)
@click.option("--prompt", is_flag=True, help="The prompts for models that follow instructions.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(files: tuple[str, ...], prompt: bool, as_json: bool) -> None:
    """List the 16 task types, or those of task FILES and folders, each with an example.

    The examples of the 16 are about one sentence: "Either party may end this agreement by
    giving thirty days' written notice." With --prompt, FILES are short names: what a model is
    asked for each; without a name, what comes before every request.
    """
    if prompt:
        _show_prompts(files)
        return
    tasks = [task for name in files for task in find_tasks(name)] or TASK_TYPES
    if as_json:
        say(json.dumps([_plain(task) for task in tasks], indent=2))
        return
    for task in tasks:
        _show(task)


def _show_prompts(names: tuple[str, ...]) -> None:
    """Write prompts as they are, to be kept as a file each; without a name the conversation."""
    for name in names or (CONVERSATION,):
        if name not in NAMES:
            raise UsageError(f"{name} has no prompt.", f"Use {', '.join(NAMES)}.")
        say(package_prompts().text(name).rstrip())


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
    told = one_line(f"{task.name}: {task.meaning}")
    say_styled(f"{short}{' ' if len(task.short) > 13 else ''}{told}")
    say(f"{'':<14}  {task.instruction}\n{'':<14}  -> {task.response}")
    if task.labels:
        say(f"{'':<14}  labels: {', '.join(task.labels)}")
