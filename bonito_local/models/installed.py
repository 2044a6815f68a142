"""The models on this machine: the package's own, those of the store, GGUF files of folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bonito_local.backends.llamacpp.gguf_file import quantization, read_metadata
from bonito_local.backends.llamacpp.speeds import speeds
from bonito_local.convert.manifest import read_manifest
from bonito_local.errors import ConvertError, ModelError
from bonito_local.models import store
from bonito_local.models.catalog import CATALOG

Place = Literal["package", "store", "folder"]
_DEEPEST = 2


@dataclass(frozen=True, slots=True)
class Installed:
    """A model file. `made` is what its manifest says, None where there is none.

    `licence` and `stored`, how its weights are, is what the file says of itself; `tuned` is
    whether it was measured on this machine.
    """

    name: str
    path: Path
    bytes: int
    summary: str
    place: Place
    made: dict[str, Any] | None = None
    licence: str = ""
    stored: str = ""
    tuned: bool = False

    @property
    def named(self) -> bool:
        """Whether its name is enough to find it."""
        return self.place != "folder"

    @property
    def reference(self) -> str:
        """What `--model` takes for it."""
        return self.name if self.named else str(self.path)

    @property
    def quant(self) -> str:
        """Its quantization, as far as its manifest, the file or its name tells."""
        if self.made:
            return str(self.made.get("quant", ""))
        if self.stored:
            return self.stored
        parts = self.path.stem.replace("-", ".").split(".")
        return next((p for p in parts if p[:1] in "QF" and p[1:2].isdigit()), "")

    @property
    def verified(self) -> bool | None:
        """Whether its conversion was verified; None if that was not done."""
        found = (self.made or {}).get("verification")
        return bool(found.get("passed")) if isinstance(found, dict) else None

    @property
    def divergence(self) -> float | None:
        """How far it is from what it was made of, in nats a token, where that was measured."""
        found = (self.made or {}).get("verification")
        told = found.get("mean_kl") if isinstance(found, dict) else None
        return told if isinstance(told, float) else None

    @property
    def changed(self) -> bool:
        """Whether it has another size than when its manifest was written."""
        output = (self.made or {}).get("output")
        return isinstance(output, dict) and output.get("bytes") != self.bytes

    @property
    def standing(self) -> str:
        """Whether it can be trusted to be what it was made to be, in words."""
        if self.changed:
            return "CHANGED since it was made"
        if self.verified is None:
            return "not verified"
        told = "verified" if self.verified else "FAILED its verification"
        return told if self.divergence is None else f"{told}, divergence {self.divergence:.4f}"


def installed(folders: Sequence[Path] = ()) -> list[Installed]:
    """The models with a name, then the GGUF files in `folders`, each once.

    A folder that cannot be read holds none.
    """
    found = [
        _look(model.path, "package", model.summary)
        for model in CATALOG
        if model.asset and model.path.exists()
    ]
    found += [_look(path, "store") for path in map(store.find, store.names()) if path]
    seen = {model.path.resolve() for model in found}
    for folder in folders:
        for path in _files(folder, _DEEPEST):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                found.append(_look(path, "folder"))
    return found


def _files(folder: Path, deep: int) -> list[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    files = [path for path in inside if path.suffix.lower() == ".gguf" and path.is_file()]
    if deep > 1:
        for path in inside:
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                files += _files(path, deep - 1)
    return files


def _look(path: Path, place: Place, summary: str = "") -> Installed:
    try:
        metadata = read_metadata(path)
    except ModelError:
        metadata = {}
    made = None
    try:
        made = read_manifest(path)
        summary = summary or _made(made)
    except ConvertError as error:
        summary = error.title
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    return Installed(
        name=path.stem,
        path=path,
        bytes=size,
        summary=summary,
        place=place,
        made=made,
        licence=str(metadata.get("general.license", "") or (made or {}).get("licence", "")),
        stored=quantization(metadata),
        tuned=bool(speeds(path)),
    )


def _made(made: dict[str, Any] | None) -> str:
    if made is None:
        return "A GGUF file without a manifest."
    said = f"{made.get('quant')} of {made.get('source')}"
    if adapters := made.get("adapters"):
        said += f" with {', '.join(map(str, adapters))}"
    if base := made.get("merge_into"):
        said += f" merged into {base}"
    return said
