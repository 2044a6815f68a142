"""A job to begin with: a made-up lease and a small model, which both come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.launch import free_output
from bonito_local.tasks import task_type


def example_job(folder: Path) -> Generation:
    """What it asks for; the dataset goes to a new folder in `folder`."""
    lease = Path(str(files("bonito_local.assets").joinpath("office-lease.md")))
    tasks = (task_type("exqa"), task_type("ynqa"))
    return Generation((lease,), tasks, free_output(folder, "lease-example"), DEFAULT_MODEL)
