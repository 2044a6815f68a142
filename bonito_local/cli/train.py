"""`bonito-local train`: a group of commands, each imported when it runs."""

from __future__ import annotations

import click

from bonito_local.cli.lazy import LazyGroup

COMMANDS = {
    "ctga": ("train_ctga", "Build rows for `train bonito` from annotated datasets."),
}


class _Training(LazyGroup):
    table = COMMANDS


@click.group("train", cls=_Training)
def command() -> None:
    """Train adapters by Q-LoRA, on this machine."""
