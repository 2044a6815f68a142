"""`bonito-local run`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.cli.foreground import run_detached, run_here
from bonito_local.jobs.jobfile import read_job


@click.command("run")
@click.argument("job", type=click.Path(path_type=Path))
@click.option("--backend", help="Another engine than the file names.")
@click.option("--cluster", help="Engines in many processes: ray.")
@click.option("--cluster-address", help="HOST:PORT of a cluster you run: it sees the passages.")
@click.option("--actors", type=click.IntRange(min=1), help="Engines on the cluster.")
@click.option("--detach", is_flag=True, help="Run in a process that outlives this terminal.")
@click.option("--json", "as_json", is_flag=True, help="How it ended, or its process, for programs.")
def command(
    job: Path,
    backend: str | None,
    cluster: str | None,
    cluster_address: str | None,
    actors: int | None,
    detach: bool,
    as_json: bool,
) -> int:
    """Run a job file, or go on with it.

    Documents that are new or have changed are read first; of what was planned before only
    what has no outcome yet is generated. Stop with Ctrl-C: the same command goes on.
    """
    wanted = read_job(job)
    if backend:
        wanted = replace(wanted, backend=backend)
    of = wanted.cluster
    of = ClusterOptions(cluster or of.kind, cluster_address or of.address, actors or of.actors)
    wanted = replace(wanted, cluster=of)
    start = run_detached if detach else run_here
    return start(wanted, as_json=as_json)
