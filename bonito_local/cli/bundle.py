"""`bonito-local bundle`."""

from __future__ import annotations

from pathlib import Path

import click

from bonito_local.cli.talk import say, say_line
from bonito_local.errors import BundleError


@click.group("bundle")
def command() -> None:
    """One file that brings bonito-local and models to a machine without a network.

    There `python BUNDLE install` needs nothing but Python.
    """


@command.command("create")
@click.argument("models", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="bonito-local.pyz",
    show_default=True,
    help="The file to write.",
)
@click.option("--platform", default="", help="Of pip: manylinux_2_28_x86_64, ... [this machine's]")
@click.option("--python", default="", help="Version there: 3.12. [this one's]")
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the application from here; no network is used.",
)
@click.option(
    "--sign",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="An SSH private key; the signature is written beside.",
)
def create(
    models: tuple[str, ...],
    output: Path,
    platform: str,
    python: str,
    wheels: Path | None,
    sign: Path | None,
) -> None:
    """Pack bonito-local, all it needs, and MODELS of the store into one file."""
    from bonito_local.models.bundle import create as make

    record = make(
        output,
        models,
        platform=platform,
        python=python,
        wheels=wheels,
        sign=sign,
        tell=lambda what: say(what, err=True),
    )
    say_line(f"{output}: {record.bytes / 1e6:.0f} MB, SHA-256 {record.sha256}")
    if sign:
        say_line(f"{output}.sig: the signature")


@command.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), help="Public key of who signed it.")
def verify(bundle: Path, key: Path | None) -> None:
    """Check every byte of BUNDLE, with --key its signature too."""
    from bonito_local.models import installer

    try:
        contents = installer.verify(bundle, key)
    except installer.Refused as error:
        raise BundleError(error.title, error.remedy) from error
    models = ", ".join(contents["models"]) or "no model"
    system, machine = contents["platform"]
    say(
        f"{bundle}: whole, {len(contents['files'])} files; bonito-local {contents['version']} for "
        f"Python {contents['python']}, {system} on {machine}; {models}"
    )


@command.command("install")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    default=Path.home() / "bonito-local",
    help="Folder to install into. [~/bonito-local]",
)
@click.option("--key", type=click.Path(path_type=Path), help="Public key of who signed it.")
def install(bundle: Path, to: Path, key: Path | None) -> None:
    """Install BUNDLE, as `python BUNDLE install` does without this program."""
    from bonito_local.models import installer

    try:
        program = installer.install(bundle, to, key, lambda told: say_line(told, err=True))
    except installer.Refused as error:
        raise BundleError(error.title, error.remedy) from error
    say(f"Installed. Start it with {program}")
