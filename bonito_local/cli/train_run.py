"""`bonito-local train bonito`, `train adapt` and `train tapt`: one trainer, three kinds of rows."""

from __future__ import annotations

import os
import shlex
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bonito_local.cli.talk import quiet, say, say_line
from bonito_local.errors import BackendError

if TYPE_CHECKING:
    from bonito_local.training.config import Kind, TrainConfig
    from bonito_local.training.run import Progress

_LINE_SECONDS = 10.0
_NEEDED = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")


def _command(kind: Kind, rows: str) -> click.Command:
    @click.command(kind)
    @click.argument("config", type=click.Path(path_type=Path))
    @click.option("--dry-run", is_flag=True, help="Print memory, steps and hours, and stop.")
    @click.option("--online", is_flag=True, help="Leave the air gap open. Warned about, recorded.")
    def command(config: Path, dry_run: bool, online: bool) -> int:
        from bonito_local.training.config import read_config

        wanted = read_config(kind, config)
        return _plan(wanted) if dry_run else _train(wanted, online)

    command.help = (
        f"Train an adapter on {rows}, as CONFIG says.\n\n"
        "CONFIG is a TOML file with base, data and output; what else it can say has the paper's "
        "settings. Stop with Ctrl-C: the same command goes on from there, and so it does after a "
        "crash, from the last checkpoint. On several GPUs: torchrun --nproc-per-node GPUS -m "
        f"bonito_local train {kind} CONFIG."
    )
    return command


bonito = _command("bonito", "rows in Bonito's prompt (`bonito-local train ctga` makes them)")
adapt = _command("adapt", "the rows of a job's export, in the paper's prompt")
tapt = _command("tapt", "passages alone, to predict each next word")


def _plan(wanted: TrainConfig) -> int:
    from bonito_local.backends.llamacpp.machine import available_memory
    from bonito_local.training.plan import lines, make_plan

    plan = make_plan(wanted, 0.8 * available_memory())
    say("\n".join(lines(plan, wanted)))
    return 0


def _train(wanted: TrainConfig, online: bool) -> int:
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BackendError(
            f"Training needs {', '.join(missing)}.", "pip install 'bonito-local[train]'"
        )
    from bonito_local.cli.foreground import enter_air_gap
    from bonito_local.jobs.signals import StopSignals

    # Before the libraries start threads; processes that share a run connect to each other first.
    together = int(os.environ.get("WORLD_SIZE", "1")) > 1
    if not together:
        enter_air_gap(online)
    from bonito_local.training.processes import join
    from bonito_local.training.run import train

    processes = join()
    if together:
        enter_air_gap(online)
    with StopSignals() as signals, _Shown(processes.first) as shown:
        ended = train(wanted, processes, notify=shown.show, stop=signals.stop)
    processes.leave()
    if not processes.first:
        return 0
    say(f"{ended.counts}")
    if not ended.complete:
        say(
            f"Stopped at step {ended.step:,} of {ended.steps:,}. "
            "The same command goes on from here.",
            err=True,
        )
        return signals.exit_status
    say(f"Computed in {ended.compute}")
    say_line(f"{ended.steps:,} steps, loss {ended.loss:.3f}: the adapter is in {wanted.output}")
    gguf = wanted.output.with_suffix(".gguf").name
    words = ["bonito-local", "convert", str(wanted.base), "--adapter", str(wanted.output)]
    say("Make it a GGUF:")
    merge_into = "bf16" if wanted.weights == "base" else "nf4"
    say(f"  {shlex.join([*words, '--merge-into', merge_into, '-o', gguf])}")
    return 0


class _Shown(AbstractContextManager["_Shown"]):
    """A live line on a terminal, a line every few seconds elsewhere; all on stderr."""

    def __init__(self, speaks: bool) -> None:
        self._phase = ""
        self._next = 0.0
        self._status: AbstractContextManager[object] = nullcontext()
        self._update = None
        self._speaks = speaks = speaks and not quiet()
        if speaks and sys.stderr.isatty():
            from rich.console import Console

            status = Console(stderr=True).status("reading")
            self._status, self._update = status, status.update

    def __enter__(self) -> _Shown:
        self._status.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._status.__exit__(*error)  # type: ignore[arg-type]

    def show(self, progress: Progress) -> None:
        """Show where the run stands, if it is time."""
        if not self._speaks:
            return
        if self._update is not None:
            self._update(_told(progress))
            return
        now = time.monotonic()
        if progress.phase != self._phase or now >= self._next or progress.step == progress.steps:
            self._phase, self._next = progress.phase, now + _LINE_SECONDS
            say(_told(progress), err=True)


def _told(progress: Progress) -> str:
    if progress.seconds_left is None:
        return f"{progress.phase}; {progress.note}" if progress.note else progress.phase
    left = timedelta(seconds=round(progress.seconds_left))
    return (
        f"{progress.phase} {progress.step:,}/{progress.steps:,}: loss {progress.loss:.3f}, "
        f"{progress.tokens_per_second:,.0f} tokens/s, {left} left"
    )
