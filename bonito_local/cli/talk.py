"""How much a command says: `-q`, `-v` and `--debug`, which every command takes."""

from __future__ import annotations

import click

from bonito_local.printable import one_line, printable

_KEY = "bonito_local.talk."


def _note(ctx: click.Context, param: click.Parameter, given: bool) -> None:
    if not given or ctx.resilient_parsing:
        return
    ctx.meta[f"{_KEY}{param.name}"] = True
    if param.name == "verbose":
        let_libraries_speak()


LEVELS = (
    click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Say only the result, warnings and errors.",
    ),
    click.Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Say what the libraries in use say too.",
    ),
    click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Show the traceback of an error.",
    ),
)


def with_levels(command: click.Command) -> click.Command:
    """Let a command, and those in it that are there already, be told how much to say."""
    command.params += [option for option in LEVELS if option not in command.params]
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            with_levels(inner)
    return command


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print what may hold others' text, none of which reaches the terminal as a command to it."""
    click.echo(printable(text), err=err, nl=nl)


def say_line(text: str, *, err: bool = False) -> None:
    """Print one line, whatever the names in it hold."""
    say(one_line(text), err=err)


def say_styled(text: str) -> None:
    """Print what has colours; the caller made all in it that is others' printable."""
    click.echo(text)


def redraw(text: str) -> None:
    """Print a line on stderr in the place of the one there."""
    click.echo(f"\r\033[K{one_line(text)}", nl=False, err=True)


def quiet() -> bool:
    """Whether the user wants no progress and no samples."""
    return _given("quiet")


def _given(name: str) -> bool:
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(f"{_KEY}{name}"))


def hush_libraries() -> None:
    """Keep what libraries warn of from the user, who can do nothing about it.

    A choice of the user's own (`python -W`, PYTHONWARNINGS) holds.
    """
    import logging
    import os
    import sys
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    # Without a handler Python prints warnings of loggers by itself.
    logging.getLogger().addHandler(logging.NullHandler())
    # transformers has a handler of its own.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def let_libraries_speak() -> None:
    """Show on stderr what libraries warn of and tell."""
    import logging
    import os
    import sys
    import warnings

    if not sys.warnoptions:
        warnings.resetwarnings()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", force=True)
    os.environ["TRANSFORMERS_VERBOSITY"] = "info"
