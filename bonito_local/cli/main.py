"""The `bonito-local` command: finds subcommands by name and imports the one that runs."""

from __future__ import annotations

import errno
import io
import os
import sys

import click

from bonito_local.airgap.limits import leave_no_core
from bonito_local.cli.lazy import LazyGroup
from bonito_local.cli.talk import hush_libraries, say, say_line, with_levels
from bonito_local.errors import BonitoError
from bonito_local.printable import shortened
from bonito_local.private import keep_private

# Name -> module under bonito_local.cli that holds `command`, and its line in --help.
COMMANDS = {
    "generate": ("generate", "Write an instruction-tuning dataset from documents."),
    "example": ("example", "Make a small dataset of an example, to see how it works."),
    "new": ("new", "Write a job file."),
    "run": ("run", "Run a job file, or go on with it."),
    "preview": ("preview", "Show what a job would make: passages, and a few real rows."),
    "jobs": ("jobs", "List the jobs of this user on this machine."),
    "status": ("status", "Show how far a job is, and how its samples ended."),
    "pause": ("pause", "Stop a running job for now."),
    "resume": ("resume", "Go on with a job."),
    "cancel": ("cancel", "Stop a job for good."),
    "retry": ("retry", "Ask again for samples that failed."),
    "review": ("review", "Look at a job's rows, and say which go into its dataset."),
    "score": ("score", "Score a job's rows by its model, and select by that."),
    "export": ("export", "Write a job's dataset again, or in another format."),
    "coverage": ("coverage", "Say how much of a job's documents became rows."),
    "report": ("report", "Write a page about a job's dataset."),
    "import": ("import_rows", "Take back rows that were reviewed elsewhere."),
    "logs": ("logs", "Print what a job's detached workers said."),
    "rm": ("rm", "Take a job off the list, or delete it, its dataset and exports."),
    "tasks": ("tasks", "List the 16 task types, each with an example."),
    "models": ("models", "Models by name: list, fetch, add, check and remove them."),
    "bundle": ("bundle", "One file that brings all this to a machine without a network."),
    "tune": ("tune", "Measure what runs a model fastest on this machine."),
    "doctor": ("doctor", "Check this installation and machine."),
    "convert": ("convert", "Make a GGUF of a checkpoint, or of a base and an adapter."),
    "evaluate": ("evaluate", "Measure a model on the Bonito paper's evaluation sets."),
    "verify": ("verify", "Compare a converted GGUF with the checkpoint it was made from."),
    "train": ("train", "Train a Bonito, or adapt a model to rows."),
    "ask": ("ask", "Ask an adapted model."),
}

# What a shell is told; docs/cli.md and the man page list them.
STATUSES = {
    0: "It did what was asked.",
    1: "It could not; the error says why. `doctor`: a check failed. `verify`: the file failed.",
    2: "The command line or a job file is wrong: an unknown option, name, key or path.",
    70: "A fault of bonito-local; `--debug` shows where.",
    130: "Ctrl-C. What had finished is kept; the same command goes on.",
    143: "SIGTERM. The same.",
}


class _Commands(LazyGroup):
    table = COMMANDS


def _tell_version(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from bonito_local.cli.version import versions

        say("\n".join(versions()))
        ctx.exit()


@click.group(
    cls=_Commands,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the versions of bonito-local and its engines.",
)
@click.pass_context
def cli(ctx: click.Context) -> int | None:
    """Turn private documents into instruction-tuning data, on this machine, offline.

    On a terminal, without a command, it opens the app.
    """
    if ctx.invoked_subcommand is None:
        if sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            from bonito_local.tui.app import run_app

            return run_app()
        say(ctx.get_help())
    return None


with_levels(cli)


def main() -> None:
    """Run the command line of this process."""
    keep_private()
    leave_no_core()
    hush_libraries()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or pipe without UTF-8 shows "?" for what it lacks; files are always UTF-8.
        sys.stdout.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:]))


def _of_the_system(error: OSError | MemoryError) -> tuple[str, str]:
    """Say what the system refused, and what can be done; these are no faults of ours."""
    if isinstance(error, MemoryError):
        return "Memory ran out.", "Close other programs, or use a smaller model, and try again."
    # What a library raises in its own words may quote what it read.
    named = f"{error.filename}: " if isinstance(error.filename, str) else ""
    title = f"{named}{error.strerror}." if error.errno else f"{type(error).__name__}."
    remedies = {
        errno.EMFILE: "Allow more open files: ulimit -n 1024.",
        errno.ENFILE: "Close other programs: the system has no open file left.",
        errno.ENOSPC: "Free some space, and run the same command again.",
        errno.EDQUOT: "Free some space, and run the same command again.",
        errno.EROFS: "Name a folder on a disk that you may write to.",
        errno.EACCES: "See that the file and its folder can be read and written by you.",
        errno.EPERM: "See that the file and its folder can be read and written by you.",
        errno.ENAMETOOLONG: "Use a shorter name.",
        errno.EAGAIN: "Close other programs: the system has no room for another process.",
    }
    return title, remedies.get(error.errno or 0, "`bonito-local --debug ...` shows where.")


def run(args: list[str]) -> int:
    """Run a command line; every error ends here, as one line and an exit status."""
    debug = "--debug" in args
    try:
        colour = False if os.environ.get("NO_COLOR") else None  # None: on a terminal
        returned = cli.main(args, "bonito-local", standalone_mode=False, color=colour)
        return returned if isinstance(returned, int) else 0
    except click.ClickException as error:
        say(f"error: {shortened(error.format_message())}", err=True)
        if isinstance(error, click.UsageError) and error.ctx:
            say_line(f"See `{error.ctx.command_path} --help`.", err=True)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has gone (`| head`): leave nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort):
        say("Stopped.", err=True)
        return 130
    except BonitoError as error:
        if debug:
            raise
        say_line(f"error: {shortened(error.title)}", err=True)
        if error.remedy:
            say_line(shortened(error.remedy), err=True)
        return error.exit_code
    except (OSError, MemoryError) as error:
        if debug:
            raise
        title, remedy = _of_the_system(error)
        say_line(f"error: {shortened(title)}", err=True)
        say_line(remedy, err=True)
        return 1
    except Exception as error:  # The last edge: a user sees one line, and how to get the rest.
        if debug:
            raise
        say_line(f"error: {type(error).__name__}: {shortened(str(error))}", err=True)
        say("This is a fault of bonito-local: `bonito-local --debug ...` shows where.", err=True)
        return 70
