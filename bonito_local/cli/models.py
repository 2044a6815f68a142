"""`bonito-local models`."""

from __future__ import annotations

import click

from bonito_local.models.catalog import CATALOG


@click.command("models")
def command() -> None:
    """List the models that have a name.

    Any other GGUF of a Bonito model is given to `generate --model` as a path.
    """
    for model in CATALOG:
        size = (
            f"{model.path.stat().st_size / 1e6:.0f} MB" if model.path.exists() else "not installed"
        )
        click.echo(f"{model.name}  ({size})  {model.summary}")
        click.echo(f"  {model.path}")
