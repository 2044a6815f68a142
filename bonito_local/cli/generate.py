"""`bonito-local generate`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.assets import DEFAULT_MODEL
from bonito_local.backends.base import EngineOptions, Sampling
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.bounds import user_path
from bonito_local.cli.completing import tasks as complete_tasks
from bonito_local.cli.foreground import run_here
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.prompts import STYLES
from bonito_local.jobs.spec import check_plan, parse_tasks

_DEFAULT = Sampling()
_PATH = click.Path(path_type=Path)


@click.command("generate")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-t",
    "--task",
    shell_complete=complete_tasks,
    required=True,
    help="Task types or task files: exqa,ynqa.",
)
@click.option("-o", "--output", required=True, type=_PATH, help="Folder of dataset and job.")
@click.option("-m", "--model", default=DEFAULT_MODEL, show_default=True, help="Name or path.")
@click.option("--backend", default="llamacpp", show_default=True, help="Engine, or auto.")
@click.option("--endpoint", default="", help="With --backend openai: http://127.0.0.1:8080.")
@click.option("--remote", is_flag=True, help="--endpoint may be another machine: it sees passages.")
@click.option("--adapter", default="", help="Folder of a LoRA adapter, applied unmerged.")
@click.option("--quantization", default="", help="Quantize a checkpoint as it loads: nf4, fp8.")
@click.option("--cluster", default="", help="Engines in many processes: ray.")
@click.option("--cluster-address", default="", help="HOST:PORT of one you run: it sees passages.")
@click.option("--actors", default=0, help="Engines on the cluster; else what suits.")
@click.option("--n", default=_DEFAULT.n, show_default=True, help="Rows per passage and task.")
@click.option("--temperature", default=_DEFAULT.temperature, show_default=True, help="0 is greedy.")
@click.option("--top-p", default=_DEFAULT.top_p, show_default=True, help="1 draws from all.")
@click.option("--max-tokens", default=_DEFAULT.max_tokens, show_default=True, help="Of a row.")
@click.option("--seed", default=_DEFAULT.seed, show_default=True, help="Of the draws.")
@click.option("--limit", type=click.IntRange(min=1), help="Read at most this many passages.")
@click.option(
    "--prompt", default="auto", show_default=True, type=click.Choice(STYLES), help="How to ask."
)
@click.option("--prompts", default="", help="Folder of prompts to use in place of the package's.")
@click.option("--cover", is_flag=True, help="As many rows as a passage has sentences with facts.")
@click.option("--verifier", default="", help="A second model, by name or path, to check rows by.")
@click.option(
    "--unanswerable",
    default=0.0,
    help="Share of exqa and qa rows to ask again of a passage without the answer: 0.1.",
)
@click.option("--reasoning", is_flag=True, help="Keep the reasoning that leads to each answer.")
@click.option("--guided", is_flag=True, help="Draw only what parses and fits the task type.")
@click.option("--labels", default="", help="The labels of topic_class: a,b,c.")
@click.option("--balance", is_flag=True, help="As many rows of each label.")
@click.option(
    "--other-job", multiple=True, type=_PATH, help="A job whose rows are not wanted again."
)
@click.option("--evaluation", multiple=True, type=_PATH, help="A set that no row may give away.")
@click.option("--reproducible", is_flag=True, help="One row at a time: the same bits each run.")
@click.option("--tune/--no-tune", default=True, help="Measure this machine on first use.")
@click.option("--online", is_flag=True, help="Leave the air gap open. Warned about, recorded.")
@click.option("--keep-repeats", is_flag=True, help="Plan passages too that repeat others.")
@click.option("--ocr", default="", help="Read scanned pages, in these languages: eng, eng+deu.")
@click.option("--hidden", is_flag=True, help="Read what documents hide: sheets, slides, comments.")
@click.option("--column", help="Text column of .jsonl, .csv and .parquet files.")
@click.option("--json", "as_json", is_flag=True, help="How it ended, for programs.")
def command(
    paths: tuple[Path, ...],
    task: str,
    output: Path,
    model: str,
    backend: str,
    endpoint: str,
    remote: bool,
    adapter: str,
    quantization: str,
    cluster: str,
    cluster_address: str,
    actors: int,
    n: int,
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
    limit: int | None,
    prompt: str,
    prompts: str,
    cover: bool,
    verifier: str,
    unanswerable: float,
    reasoning: bool,
    guided: bool,
    labels: str,
    balance: bool,
    other_job: tuple[Path, ...],
    evaluation: tuple[Path, ...],
    reproducible: bool,
    tune: bool,
    online: bool,
    keep_repeats: bool,
    ocr: str,
    hidden: bool,
    column: str | None,
    as_json: bool,
) -> int:
    """Write an instruction-tuning dataset from documents.

    PATHS are documents, or folders that are read with all they hold. The dataset goes
    to the folder --output. Stop with Ctrl-C: the same command goes on from there, and
    with more documents, tasks or rows per passage it adds to what is there.
    """
    check_plan(limit, None, None, 0)
    wanted = Generation(
        paths=paths,
        tasks=parse_tasks(task),
        output=output,
        model=model,
        backend=backend,
        sampling=Sampling(n, temperature, top_p, max_tokens, seed),
        column=column,
        ocr=ocr,
        hidden=hidden,
        keep_repeats=keep_repeats,
        limit=limit,
        prompt=prompt,
        prompts=str(user_path(prompts).resolve()) if prompts else "",
        cover=cover,
        verifier=verifier,
        unanswerable=unanswerable,
        reasoning=reasoning,
        guided=guided,
        labels=tuple(label.strip() for label in labels.split(",") if label.strip()),
        balance=balance,
        other_jobs=other_job,
        evaluation=evaluation,
        tune=tune,
        reproducible=reproducible,
        cluster=ClusterOptions(cluster, cluster_address, actors),
        engine=EngineOptions(endpoint, remote, adapter, quantization),
    )
    return run_here(wanted, online=online, as_json=as_json)
