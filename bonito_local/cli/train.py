"""`bonito-local train`: a group of commands, each imported when it runs."""

from __future__ import annotations

import click

from bonito_local.cli.lazy import LazyGroup

COMMANDS = {
    "ctga": ("train_ctga", "Build rows for `train bonito` from annotated datasets."),
    "bonito": ("train_run:bonito", "Train a model that writes rows, as the paper's Bonito."),
    "adapt": ("train_run:adapt", "Adapt a model to a job's rows."),
    "tapt": ("train_run:tapt", "Train on passages alone: the paper's baseline."),
}


class _Training(LazyGroup):
    table = COMMANDS


@click.group("train", cls=_Training)
def command() -> None:
    """Train adapters by Q-LoRA, on this machine."""
