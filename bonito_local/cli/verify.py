"""`bonito-local verify`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bonito_local.cli.talk import quiet, say, say_line

if TYPE_CHECKING:
    from bonito_local.convert.plan import MergeInto
    from bonito_local.convert.verify import Report


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", type=click.Path(path_type=Path), help="The checkpoint it was made from.")
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    type=click.Path(path_type=Path),
    help="LoRA folder that was merged; several in order.",
)
@click.option(
    "--merge-into",
    type=click.Choice(["bf16", "nf4"]),
    default="bf16",
    show_default=True,
    help="As `convert` was told.",
)
@click.option("--text", type=click.Path(path_type=Path), help="Measure perplexity on this file.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    file: Path,
    source: Path | None,
    adapters: tuple[Path, ...],
    merge_into: MergeInto,
    text: Path | None,
    as_json: bool,
) -> int:
    """Compare a converted GGUF with the checkpoint it was made from.

    Without --source only what the file holds is checked: its hash, its special tokens, that
    it loads and generates. The report is written beside it.
    """
    report = check(file, source, adapters, merge_into, text)
    if as_json:
        say(json.dumps(report.plain(), indent=2))
    else:
        show(report, file)
    return 0 if report.passed else 1


def check(
    file: Path,
    source: Path | None = None,
    adapters: Sequence[Path] = (),
    merge_into: MergeInto = "bf16",
    text: Path | None = None,
) -> Report:
    """Verify, say how far it is, and write the report beside the file."""
    from bonito_local.convert.verify import verify

    report = verify(
        file,
        source=source,
        adapters=adapters,
        merge_into=merge_into,
        text=text,
        notify=lambda what: None if quiet() else say(f"{what} ...", err=True),
    )
    report.write(file)
    return report


def show(report: Report, file: Path) -> None:
    """Print a report that lies beside the file."""
    if found := report.comparison:
        say_line(f"reference          {found.reference}, merged, in llama.cpp")
        say(f"mean divergence    {found.mean_kl:.5f} nats a token ({found.tokens} tokens)")
        say(f"worst divergence   {found.worst_kl:.4f}")
        say(f"top-1 agreement    {found.top1:.2%}")
        say(
            f"completions parse  {found.parse_rate:.0%} "
            f"(reference {found.reference_parse_rate:.0%})"
        )
        if found.perplexity is not None:
            say(
                f"perplexity         {found.perplexity:.3f} "
                f"(reference {found.reference_perplexity:.3f})"
            )
    if report.texts_tokenized:
        say(f"tokenized alike    {report.texts_tokenized} texts")
    for failure in report.failures:
        say(f"failed: {failure}", err=True)
    say_line(f"{'passed' if report.passed else 'FAILED'}: {report.path(file)}")
