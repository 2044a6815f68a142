"""`bonito-local models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bonito_local.errors import ConvertError, UsageError
from bonito_local.models.catalog import CATALOG


@click.command("models")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
def command(folders: tuple[Path, ...]) -> None:
    """List the models that have a name, and the GGUF files in FOLDERS.

    Of a file that `convert` made, its manifest tells what it was made from and whether it
    was verified. FOLDERS is the current folder if none is named.
    """
    for model in CATALOG:
        click.echo(f"{model.name}  ({_size(model.path)})  {model.summary}")
        click.echo(f"  {model.path}")
    for folder in folders or (Path(),):
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder.", "Name a folder that holds GGUF files.")
        for path in sorted(folder.glob("*.gguf")):
            click.echo(f"{path}  ({_size(path)})  {_made(path)}")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.0f} MB" if path.exists() else "not installed"


def _made(path: Path) -> str:
    """What the manifest says of a file, in one line."""
    from bonito_local.convert.manifest import read_manifest

    try:
        manifest: dict[str, Any] | None = read_manifest(path)
    except ConvertError as error:
        return error.title
    if manifest is None:
        return "without a manifest"
    parts = [str(manifest.get("quant")), f"of {manifest.get('source')}"]
    if adapters := manifest.get("adapters"):
        parts.append(f"with {', '.join(map(str, adapters))}")
    if base := manifest.get("merge_into"):
        parts.append(f"merged into {base}")
    output, found = manifest.get("output"), manifest.get("verification")
    if isinstance(output, dict) and output.get("bytes") != path.stat().st_size:
        return f"{' '.join(parts)}; CHANGED since it was converted"
    if not isinstance(found, dict):
        return f"{' '.join(parts)}; not verified"
    result = "verified" if found.get("passed") else "FAILED its verification"
    if isinstance(found.get("mean_kl"), float):
        result += f", divergence {found['mean_kl']:.4f}"
    return f"{' '.join(parts)}; {result}"
