"""`bonito-local example`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.foreground import run_here
from bonito_local.cli.talk import quiet, say
from bonito_local.jobs.example import example_job


@click.command("example")
def command() -> int:
    """Make a dataset of a document that comes with the package, to see how it works.

    It is a made-up lease, read by the small model that comes too; a few seconds. The dataset
    goes to the folder lease-example here.
    """
    wanted = example_job(Path())
    status = run_here(wanted)
    if not quiet():
        say(
            f"`bonito-local review {wanted.output}` shows its rows, also those left out.\n"
            "For your own documents:\nbonito-local generate FOLDER --task exqa,ynqa -o DATASET",
            err=True,
        )
    return status
