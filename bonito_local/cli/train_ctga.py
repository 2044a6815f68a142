"""`bonito-local train ctga`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bonito_local.cli.foreground import enter_air_gap
from bonito_local.cli.talk import quiet, say, say_line
from bonito_local.errors import UsageError

if TYPE_CHECKING:
    from bonito_local.training.ctga.counts import Counts
    from bonito_local.training.ctga.plan import Plan

PAPER = "paper"


@click.command("ctga")
@click.argument("source")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The JSONL to write."
)
@click.option("--promptsource", type=click.Path(path_type=Path), help="A checkout of promptsource.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the paper's datasets.")
@click.option("--dataset", help="Only these of the paper's, comma-separated: squad,glue/mrpc.")
@click.option("--download", is_flag=True, help="Fetch the datasets that --data lacks.")
@click.option(
    "--max-examples",
    type=click.IntRange(1),
    default=100_000,
    show_default=True,
    help="Examples of a dataset.",
)
@click.option(
    "--max-chars",
    type=click.IntRange(1),
    default=8192,
    show_default=True,
    help="Rows with a longer input or output are left out.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of all that is drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts for programs.")
def command(
    source: str,
    output: Path,
    promptsource: Path | None,
    data: Path | None,
    dataset: str | None,
    download: bool,
    max_examples: int,
    max_chars: int,
    seed: int,
    as_json: bool,
) -> int:
    """Build rows for `train bonito` from annotated datasets.

    SOURCE is a TOML file that describes datasets of yours, or the word paper: then the 39 of
    the Bonito paper are read from --data, with the templates of a checkout of promptsource.
    Templates run in a process of their own, without network or files.
    """
    from bonito_local.training.ctga.build import Limits, build, report_path

    if output.is_dir():
        raise UsageError(f"{output} is a folder.", "Name a file, rows.jsonl say.")
    if download:
        say("warning: --download: this process may use the network.", err=True)
    else:
        enter_air_gap(online=False)
    if source == PAPER:
        plan = _paper(promptsource, data, dataset, download)
    elif promptsource or data or dataset or download:
        raise UsageError(
            "--promptsource, --data, --dataset and --download go with SOURCE paper.",
            "A file of datasets says all of it itself.",
        )
    else:
        from bonito_local.training.ctga.described import plan_described

        plan = plan_described(Path(source))
    counts = build(plan, output, Limits(max_examples, max_chars), seed, _notify)
    if as_json:
        say(json.dumps(counts.plain(), indent=2, ensure_ascii=False))
    else:
        _print(counts)
        say_line(f"{counts.rows.total()} rows in {output}, the counts in {report_path(output)}")
    _warn(counts)
    return 1 if counts.unused else 0


def _paper(
    promptsource: Path | None, data: Path | None, dataset: str | None, download: bool
) -> Plan:
    from bonito_local.training.ctga.paper import paper_datasets, plan_paper

    if promptsource is None or data is None:
        raise UsageError(
            "The paper's mix needs --promptsource and --data.",
            "Check out github.com/bigscience-workshop/promptsource, and name a folder of datasets.",
        )
    wanted = [name.strip() for name in (dataset or "").split(",") if name.strip()]
    if download:
        from bonito_local.training.ctga.hub import fetch

        for failed in fetch(paper_datasets(wanted), data, lambda text: say(text, err=True)):
            say_line(f"warning: {failed.dataset}: {failed.why}", err=True)
    return plan_paper(data, promptsource, wanted)


def _notify(dataset: str, counts: Counts) -> None:
    rows, _ = counts.of(dataset)
    if not quiet():
        say_line(f"{dataset}: {counts.read[dataset]} examples, {rows} rows", err=True)


def _print(counts: Counts) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("dataset", "examples", "left out", "cut", "rows")
    for column in table.columns[1:]:
        column.justify = "right"
    for dataset, read in counts.read.items():
        rows, dropped = counts.of(dataset)
        table.add_row(dataset, *(f"{n:,}" for n in (read, dropped, counts.cut[dataset], rows)))
    console.print(table)
    for title, sums in (("task type", counts.tasks()), ("left out because", counts.reasons())):
        if sums:
            small = Table(title, "examples")
            small.columns[1].justify = "right"
            for name, count in sums.most_common():
                small.add_row(name, f"{count:,}")
            console.print(small)


def _warn(counts: Counts) -> None:
    for one in counts.unused:
        say_line(f"warning: {one.dataset} gave no rows: {one.why}. {one.remedy}".strip(), err=True)
    by_dataset: dict[str, list[str]] = {}
    for out in counts.left_out:
        by_dataset.setdefault(out.dataset, []).append(f"{out.template} ({out.why})")
    for dataset, templates in by_dataset.items():
        more = f" and {len(templates) - 3} more" if len(templates) > 3 else ""
        listed = "; ".join(templates[:3])
        say_line(f"warning: {dataset}: templates left out: {listed}{more}", err=True)
    if counts.absent:
        say(f"warning: not there: {', '.join(counts.absent)}", err=True)
