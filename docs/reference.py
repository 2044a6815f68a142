"""Writes the reference of the command line, docs/cli.md, and the man page, from the commands.

    python docs/reference.py           write both
    python docs/reference.py --check   fail where they are not what the commands say

A test runs the latter.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from bonito_local.cli.main import COMMANDS, STATUSES, cli
from bonito_local.cli.talk import LEVELS

DOCS = Path(__file__).parent
MARKDOWN, MAN = DOCS / "cli.md", DOCS / "man" / "bonito-local.1"
PROGRAM = "bonito-local"
INTRO = "Turn private documents into instruction-tuning data, on this machine, offline."
ENVIRONMENT = {
    "BONITO_LOCAL_API_KEY": "the key of a server that `--backend openai` asks",
    "BONITO_LOCAL_MODELS": "the folder of the models' store",
    "HF_ENDPOINT": "another hub than huggingface.co, for what fetches",
    "HF_HUB_OFFLINE": "`1` forbids to fetch anything",
    "NO_COLOR": "no colours",
    "TESSDATA_PREFIX": "the folder of Tesseract's data, for `--ocr`",
    "XDG_STATE_HOME, XDG_CACHE_HOME, XDG_DATA_HOME": "where the list of jobs, what was measured "
    "and models are kept, on Linux",
}


@dataclass(frozen=True)
class Page:
    """What there is to say about a command: its options as (names, meaning)."""

    name: str
    usage: str
    paragraphs: list[str]
    options: list[tuple[str, str]]
    listing: list[str]


def pages() -> Iterator[Page]:
    """One for each command, groups after the commands in them."""
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield from _pages(command, f"{PROGRAM} {name}")


def _pages(command: click.Command, name: str) -> Iterator[Page]:
    ctx = click.Context(command, info_name=name)
    texts = inspect.cleandoc(command.help or "").split("\n\n")
    listing = [
        line.strip()
        for line in (command.epilog or "").replace("\b", "").splitlines()
        if line.strip() and not line.rstrip().endswith(":")
    ]
    yield Page(
        name,
        " ".join([name, *command.collect_usage_pieces(ctx)]),
        [" ".join(text.split()) for text in texts],
        [_option(ctx, param) for param in command.params if isinstance(param, click.Option)
         and param not in LEVELS],
        listing,
    )  # fmt: skip
    if isinstance(command, click.Group):
        for inner in command.list_commands(ctx):
            found = command.get_command(ctx, inner)
            assert found is not None
            yield from _pages(found, f"{name} {inner}")


def _option(ctx: click.Context, param: click.Option) -> tuple[str, str]:
    record = param.get_help_record(ctx)
    names, meaning = record or (", ".join(param.opts), "")
    return names, " ".join(meaning.split())


def common() -> list[tuple[str, str]]:
    """The options that every command takes."""
    ctx = click.Context(cli)
    return [*(_option(ctx, option) for option in LEVELS), ("-h, --help", "Show the help.")]


def markdown() -> str:
    """The reference for the site and for GitHub."""
    lines = [
        "# Command line",
        "",
        "<!-- Written by docs/reference.py from the commands themselves. -->",
        "",
        f"`{PROGRAM}` on a terminal, without a command, opens [the app](app.md). Every command",
        "takes these options, before or after its name:",
        "",
        *_table(common()),
        "",
        f"`{PROGRAM} --version` tells the versions of the package, of Python and of the engines,",
        f"and what llama.cpp was built for. `python -m bonito_local` is `{PROGRAM}`.",
        "",
        "| command | |",
        "|---|---|",
        *(f"| [`{name}`](#{PROGRAM}-{name}) | {text} |" for name, (_, text) in COMMANDS.items()),
        "",
        "JOB is a job's number in `bonito-local jobs`, its output folder, or its job file.",
    ]
    for page in pages():
        lines += ["", f"## {page.name}", "", "```text", page.usage, "```", ""]
        for text in page.paragraphs:
            lines += [_marked(text), ""]
        if page.options:
            lines += _table(page.options)
        if page.listing:
            lines += ["", "| name | |", "|---|---|"]
            lines += [
                f"| `{n}` | {m.strip()} |" for n, _, m in (x.partition(" ") for x in page.listing)
            ]
        while not lines[-1]:
            lines.pop()
    lines += ["", "## Exit status", "", "| status | meaning |", "|---|---|"]
    lines += [f"| {status} | {text} |" for status, text in STATUSES.items()]
    lines += ["", "Results go to standard output; progress, warnings and errors to standard error.",
              "", "## Environment", "", "| variable | meaning |", "|---|---|"]  # fmt: skip
    lines += [f"| `{name}` | {text} |" for name, text in ENVIRONMENT.items()]
    return "\n".join(lines) + "\n" + COMPLETION


_FISH = r"_BONITO_LOCAL_COMPLETE=fish_source bonito-local \| source"
COMPLETION = f"""
## Completion

Commands, options and their values are completed by the Tab key once the shell is told so, in its
start-up file:

| shell | file | line |
|---|---|---|
| bash | `~/.bashrc` | `eval "$(_BONITO_LOCAL_COMPLETE=bash_source bonito-local)"` |
| zsh | `~/.zshrc` | `eval "$(_BONITO_LOCAL_COMPLETE=zsh_source bonito-local)"` |
| fish | `~/.config/fish/config.fish` | `{_FISH}` |
"""


def _table(options: list[tuple[str, str]]) -> list[str]:
    return [
        "| option | meaning |",
        "|---|---|",
        *(f"| `{_cell(names)}` | {_cell(_marked(meaning))} |" for names, meaning in options),
    ]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _marked(text: str) -> str:
    """Text whose angle brackets and stars mean themselves."""
    return re.sub(r"([<>*])", r"\\\1", text)


def man() -> str:
    """The man page."""
    lines = [
        f'.TH BONITO-LOCAL 1 "" "{PROGRAM}" "User Commands"',
        ".SH NAME",
        rf"bonito\-local \- {_roff(INTRO[0].lower() + INTRO[1:-1])}",
        ".SH SYNOPSIS",
        r".B bonito\-local",
        r"[\fICOMMAND\fR] [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
        ".SH DESCRIPTION",
        _roff(f"{INTRO} On a terminal, without a command, it opens the app."),
        ".SH OPTIONS",
    ]
    for names, meaning in [*common(), ("--version", "Show versions.")]:
        lines += [".TP", rf"\fB{_roff(names)}\fR", _roff(meaning)]
    lines.append(".SH COMMANDS")
    for page in pages():
        lines += [f".SS {_roff(page.usage.removeprefix(PROGRAM + ' '))}"]
        for text in page.paragraphs:
            lines += [".PP", _roff(text)]
        for names, meaning in page.options:
            lines += [".TP", rf"\fB{_roff(names)}\fR", _roff(meaning) or " "]
        for line in page.listing:
            name, _, meaning = line.partition(" ")
            lines += [".TP", rf"\fB{_roff(name)}\fR", _roff(meaning.strip())]
    lines.append(".SH EXIT STATUS")
    for status, text in STATUSES.items():
        lines += [".TP", rf"\fB{status}\fR", _roff(text)]
    lines.append(".SH ENVIRONMENT")
    for name, text in ENVIRONMENT.items():
        lines += [".TP", rf"\fB{_roff(name)}\fR", _roff(text)]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def main() -> int:
    """Write or compare."""
    stale = []
    for path, text in ((MARKDOWN, markdown()), (MAN, man())):
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
    if stale:
        print(f"{' and '.join(stale)}: not what the commands say. Run python docs/reference.py")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
