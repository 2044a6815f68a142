"""`bonito-local models`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bonito_local.cli.talk import redraw, say, say_line
from bonito_local.errors import LicenseError, UsageError

if TYPE_CHECKING:
    from bonito_local.models.fetching import Step
    from bonito_local.models.installed import Installed
    from bonito_local.models.offer import Offer


@click.group("models", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Models by name: list, fetch, add, check and remove them.

    They lie in a folder of your own, or the one that BONITO_LOCAL_MODELS names; --model NAME
    finds them there. Only `pull` uses a network.
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models)


@command.command("list")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_models(folders: tuple[Path, ...] = (), as_json: bool = False) -> None:
    """List the models here, the GGUF files in FOLDERS, and what could be fetched."""
    from bonito_local.models.catalog import CATALOG
    from bonito_local.models.installed import installed

    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder.", "Name a folder that holds GGUF files.")
    found = installed(folders)
    here = {model.name for model in found if model.named}
    lacking = [model for model in CATALOG if model.name not in here]
    if as_json:
        told = [_record(model) for model in found]
        told += [
            {"name": m.name, "place": "hub", "repo": m.repo, "licence": m.licence} for m in lacking
        ]
        say(json.dumps(told, indent=2))
        return
    for model in found:
        say_line(f"{model.reference}  ({_size(model.bytes)})  {_about(model)}")
        if model.named:
            say_line(f"  {model.path}")
    for offered in lacking:
        say_line(f"{offered.name}  (not here)  {offered.summary}")
        say_line(f"  licence {offered.licence}; bonito-local models pull {offered.name}")


@command.command("pull")
@click.argument("model")
@click.option("--name", help="What it is called here. [as it is called there]")
@click.option("--quant", help="Type, as in llama.cpp. [what suits this machine]")
@click.option("--file", help="A GGUF file of the model's, to be taken as it is.")
@click.option("--revision", help="Branch, tag or commit.")
@click.option("--base", type=click.Path(path_type=Path), help="Base of a model with an adapter.")
@click.option("--accept-license", is_flag=True, help="You know its licence and keep to it.")
def pull(
    model: str,
    name: str | None,
    quant: str | None,
    file: str | None,
    revision: str | None,
    base: Path | None,
    accept_license: bool,
) -> None:
    """Fetch MODEL from the Hugging Face hub: a name of the catalog, or OWNER/NAME.

    A checkpoint is converted as it comes, one shard on the disk at a time; every file's hash is
    checked. Given again after it broke off, the command goes on from there.

    Some models come as an adapter in this package and a base at the hub: the command merges the
    two. With --base it reads the base from your disk and uses no network.
    """
    if base is not None:
        from bonito_local import airgap

        airgap.enter()
    from bonito_local.models.offer import fetch, offer

    offered = offer(model, name=name, quant=quant, file=file, revision=revision, base=base)
    say(_offer(offered), err=True)
    try:
        offered.check_accepted(accept_license)
    except LicenseError:
        if not sys.stdin.isatty():
            raise
        click.confirm("Do you accept its licence?", abort=True, err=True)
    path = fetch(offered, _Shown())
    say_line(f"{offered.name}: {_size(path.stat().st_size)}, {path}")


@command.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What it is called here. [the file's name]")
def add(file: Path, name: str | None) -> None:
    """Copy the GGUF FILE into the store, so that --model finds it by name."""
    from bonito_local.models import store

    path = store.add(file, name)
    say_line(f"{path.stem}: {_size(path.stat().st_size)}, {path}")


@command.command("verify")
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def verify(names: tuple[str, ...], as_json: bool) -> int:
    """Check that models are what their manifests say, load and generate. All, if none is named.

    `bonito-local verify` compares a file with the checkpoint it was made from.
    """
    from bonito_local.cli.verify import check, show
    from bonito_local.models import store
    from bonito_local.models.catalog import locate

    reports = []
    for name in names or store.names():
        if (path := locate(name)) is None:
            there = ", ".join(store.names()) or "none"
            raise UsageError(f"There is no model {name} here.", f"There: {there}.")
        if not as_json:
            say_line(f"{name}  {path}")
        reports.append(report := check(path))
        if not as_json:
            show(report, path)
    if as_json:
        say(json.dumps([report.plain() for report in reports], indent=2))
    elif not reports:
        say_line(f"There are no models in {store.folder()}.")
    return 0 if all(report.passed for report in reports) else 1


@command.command("remove")
@click.argument("names", nargs=-1, required=True)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def remove(names: tuple[str, ...], yes: bool) -> None:
    """Delete models from the store. Jobs made with them stay."""
    from bonito_local.models import store

    for name in names:
        if not yes and store.find(name) and sys.stdin.isatty():
            click.confirm(f"Delete {name} ({store.find(name)})?", abort=True, err=True)
        for path in store.remove(name):
            say_line(f"deleted {path}")


def _about(model: Installed) -> str:
    if model.made is None:
        return model.summary
    return f"{model.summary}; {model.standing}"


def _record(model: Installed) -> dict[str, object]:
    return {
        "name": model.name,
        "place": model.place,
        "path": str(model.path),
        "bytes": model.bytes,
        "quant": model.quant,
        "licence": model.licence,
        "verified": model.verified,
        "changed": model.changed,
        "tuned": model.tuned,
        "summary": model.summary,
    }


def _offer(offered: Offer) -> str:
    lines = []
    fetches = "fetches nothing"
    if (repo := offered.repo) is not None:
        lines.append(f"{repo.name} at {repo.commit[:12]}, licence {repo.licence or 'not said'}")
        fetches = f"fetches {_size(offered.to_fetch)}"
    lines.append(f"{fetches}, makes {offered.name} ({offered.kind})")
    if offered.disk:
        lines.append(f"needs {_size(offered.disk)} of disk space while it works")
        lines.append(f"licence of {offered.name}: {offered.licence}")
    if offered.why:
        lines.append(f"{offered.kind}: {offered.why}")
    if offered.terms:
        lines.append(f"Its licence asks: {offered.terms}")
    return "\n".join(lines)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


class _Shown:
    """How far it is: one line that is written over on a terminal, else one every few percent."""

    def __init__(self) -> None:
        self._on = sys.stderr.isatty()
        self._last = ""

    def __call__(self, step: Step) -> None:
        percent = int(100 * step.share)
        parts = [f"{_size(step.fetched)} of {_size(step.to_fetch)}"] if step.to_fetch else []
        if step.of_tensors:
            parts.append(f"{step.tensors} of {step.of_tensors} tensors")
        told = f"{percent:3d} %  {', '.join(parts)}"
        if self._on:
            redraw(f"{told}  {step.now}")
            if step.fetched == step.to_fetch and step.tensors == step.of_tensors:
                say("", err=True)
        elif (at := f"{percent // 10} {step.of_tensors > 0}") != self._last:
            self._last = at
            say(told, err=True)
