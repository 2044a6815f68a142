"""`bonito-local convert`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from bonito_local.bounds import user_path
from bonito_local.cli.talk import quiet, say, say_line
from bonito_local.errors import UsageError

if TYPE_CHECKING:
    from bonito_local.convert.dequantize import Dtype
    from bonito_local.convert.plan import MergeInto, Plan
    from bonito_local.convert.stream import Progress

# Options of one target only, by parameter name.
_ONLY_CHECKPOINT = {"dtype": "--dtype"}
_ONLY_GGUF = {
    "adapters": "--adapter",
    "quant": "--quant",
    "token_embedding_type": "--token-embedding-type",
    "imatrix": "--imatrix",
    "merge_into": "--merge-into",
    "verified": "--verify",
    "dry_run": "--dry-run",
}


@click.command("convert")
@click.argument("source")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The GGUF, or the folder, to write."
)
@click.option(
    "--to",
    "target",
    type=click.Choice(["gguf", "checkpoint"]),
    default="gguf",
    show_default=True,
    help="checkpoint: turn a GGUF back into a folder that can be trained.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="Weights of a checkpoint. auto: as stored, or bfloat16 where they are quantized.",
)
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    type=click.Path(path_type=Path),
    help="PEFT LoRA folder to merge; several are merged in order.",
)
@click.option("--quant", default="Q4_K_M", show_default=True, help="Type, as in llama.cpp.")
@click.option(
    "--token-embedding-type",
    help="Type of the token embedding, as in llama.cpp; else the one that --quant gives it.",
)
@click.option("--imatrix", type=click.Path(path_type=Path), help="From llama-imatrix.")
@click.option(
    "--merge-into",
    type=click.Choice(["bf16", "nf4"]),
    default="bf16",
    show_default=True,
    help="nf4: the rounded base that a Q-LoRA adapter was trained on.",
)
@click.option("--verify", "verified", is_flag=True, help="Compare the result with the source.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.pass_context
def command(
    context: click.Context,
    source: str,
    output: Path | None,
    adapters: tuple[Path, ...],
    quant: str,
    token_embedding_type: str | None,
    imatrix: Path | None,
    merge_into: MergeInto,
    verified: bool,
    dry_run: bool,
    target: str,
    dtype: Dtype,
) -> int:
    """Make a GGUF of a checkpoint, or of a base and an adapter; or a checkpoint of a GGUF.

    SOURCE is a folder with config.json and safetensors. The weights are read, merged,
    quantized and written in one pass, a few megabytes at a time.

    With --to checkpoint, SOURCE is a GGUF file and the output a folder.
    """
    _check_options(context, target)
    if target == "checkpoint":
        return _restore(_source(source), output, dtype)
    if output is None and not dry_run:
        raise UsageError("No output file was given.", "Name one with -o, or use --dry-run.")
    from bonito_local.convert.pipeline import execute
    from bonito_local.convert.plan import make_plan

    folder = _source(source)
    plan = make_plan(
        folder,
        adapters=adapters,
        quant=quant,
        imatrix=imatrix,
        merge_into=merge_into,
        token_embedding_type=token_embedding_type,
    )
    if dry_run or output is None:
        print_plan(plan, output)
        return 0
    manifest = execute(plan, output, progress=_Shown())
    size = manifest.output.bytes
    say_line(f"{output}: {size / 1e9:.2f} GB, {quant.upper()}, in {manifest.seconds:.0f} s")
    if not verified:
        return 0
    from bonito_local.cli.verify import check, show

    report = check(output, folder, adapters, merge_into)
    show(report, output)
    return 0 if report.passed else 1


def _check_options(context: click.Context, target: str) -> None:
    """Refuse options that only the other target has."""
    other, options = (
        ("gguf", _ONLY_GGUF) if target == "checkpoint" else ("checkpoint", _ONLY_CHECKPOINT)
    )
    for parameter, option in options.items():
        if context.get_parameter_source(parameter) is not ParameterSource.DEFAULT:
            raise UsageError(
                f"{option} does not go with --to {target}.", f"It goes with --to {other}."
            )


def _restore(gguf: Path, output: Path | None, dtype: Dtype) -> int:
    """Write a GGUF's model as a checkpoint folder."""
    if output is None:
        raise UsageError("No output folder was given.", "Name one with -o.")
    if gguf.is_dir():
        raise UsageError(f"{gguf} is a folder.", "--to checkpoint takes a GGUF file.")
    from time import perf_counter

    from bonito_local.convert.dequantize import to_checkpoint

    start = perf_counter()
    to_checkpoint(gguf, output, dtype=dtype, progress=_Shown())
    size = sum(file.stat().st_size for file in output.iterdir())
    say_line(f"{output}: {size / 1e9:.2f} GB, in {perf_counter() - start:.0f} s")
    return 0


def _source(source: str) -> Path:
    path = user_path(source)
    if not path.exists() and source.count("/") == 1:
        raise UsageError(
            f"There is no folder {source}.",
            f"If it is a model at the Hugging Face hub: `bonito-local models pull {source}`.",
        )
    return path


def print_plan(plan: Plan, output: Path | None) -> None:
    """Print every tensor's shape, types and size, and what the whole will take."""
    import shutil

    from rich.console import Console
    from rich.table import Table

    from bonito_local.convert.estimate import estimate_seconds

    table = Table("tensor", "shape", "from", "to", "size, MB", "merged")
    for tensor in plan.tensors:
        table.add_row(
            tensor.name,
            " x ".join(str(n) for n in tensor.shape),
            tensor.source.dtype if tensor.source else "computed",
            tensor.kind.name + (" via NF4" if tensor.nf4 else ""),
            f"{tensor.nbytes / 1e6:.2f}",
            str(len(tensor.updates) or ""),
        )
    console = Console()
    console.print(table)
    folder = output.parent if output else Path()
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    bits = 8 * plan.nbytes / plan.parameters
    console.print(
        f"{plan.parameters / 1e9:.2f} G weights, {plan.mix.name}, {bits:.2f} bits each: "
        f"{plan.nbytes / 1e9:.2f} GB. Free in {folder.resolve()}: {free / 1e9:.1f} GB. "
        f"About {estimate_seconds(plan):.0f} s.",
        highlight=False,
    )


class _Shown:
    """One line on stderr that is written over; nothing where stderr is not a terminal."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty() and not quiet()
        self._last = -1

    def __call__(self, progress: Progress) -> None:
        percent = 100 * progress.bytes_done // max(progress.bytes, 1)
        if not self._on or percent == self._last:
            return
        self._last = percent
        done = f"{progress.tensors_done}/{progress.tensors} tensors"
        size = f"{progress.bytes_done / 1e9:.2f}/{progress.bytes / 1e9:.2f} GB"
        end = "\n" if progress.bytes_done == progress.bytes else ""
        say(f"\r{percent:3d} %  {done}  {size}  {progress.tensor:<32}{end}", err=True, nl=False)
