"""What the Tab key offers for values that click knows nothing of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem


def jobs(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Numbers of jobs on the list; else a folder or a job file."""
    from click.shell_completion import CompletionItem

    from bonito_local.errors import BonitoError
    from bonito_local.jobs.registry import Registry

    try:
        entries = Registry().entries()
    except BonitoError:
        entries = []
    numbers = [
        CompletionItem(str(entry.id), help=str(entry.output))
        for entry in entries
        if str(entry.id).startswith(begun)
    ]
    return [*numbers, CompletionItem(begun, type="file")]


def tasks(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Task types, also after a comma; a file where it looks like one."""
    from click.shell_completion import CompletionItem

    from bonito_local.tasks import TASK_TYPES

    before, comma, last = begun.rpartition(",")
    if "/" in last or "." in last:
        return [CompletionItem(begun, type="file")]
    return [
        CompletionItem(f"{before}{comma}{task.short}", help=task.name)
        for task in TASK_TYPES
        if task.short.startswith(last)
    ]
