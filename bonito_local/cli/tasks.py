"""`bonito-local tasks`."""

from __future__ import annotations

import click

from bonito_local.tasks import TASK_TYPES


@click.command("tasks")
def command() -> None:
    """List the 16 task types, each with an example.

    The examples are about one sentence: "Either party may end this agreement by
    giving thirty days' written notice."
    """
    for task in TASK_TYPES:
        short = click.style(f"{task.short:<14}", bold=True)
        click.echo(f"{short}{task.name}: {task.meaning}")
        click.echo(f"{'':<14}  {task.instruction}\n{'':<14}  -> {task.response}")
