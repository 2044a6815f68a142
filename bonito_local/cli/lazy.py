"""Groups of commands that import only the one that runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from bonito_local.cli.talk import with_levels
from bonito_local.errors import did_you_mean


class LazyGroup(click.Group):
    """Subcommands by name; none is imported for `--help`.

    `table` maps a name to where it is, "module" or "module:attribute" under bonito_local.cli
    (the attribute is `command` by itself), and to its line in --help.
    """

    table: Mapping[str, tuple[str, str]] = {}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names, in the table's order."""
        return list(self.table)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        found = getattr(import_module(f"bonito_local.cli.{module}"), attribute or "command")
        return with_levels(found)

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Name the commands that begin so; click itself would import them all."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=text)
            for name, (_, text) in self.table.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what the nearest is, where a name is not known."""
        if args and args[0] not in self.table and not args[0].startswith("-"):
            raise click.UsageError(
                f"No such command {args[0]!r}. {did_you_mean(args[0], list(self.table))}"
            )
        return super().resolve_command(ctx, args)
