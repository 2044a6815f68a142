"""The models on this machine: those that have a name, and the GGUF files of some folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.backends.llamacpp.speeds import speeds
from bonito_local.errors import ModelError
from bonito_local.models.catalog import CATALOG

_DEEPEST = 2
# `general.file_type`, by llama.cpp's `llama_ftype`: those that are made here, and the usual others.
_FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 7: "Q8_0", 8: "Q5_0", 10: "Q2_K", 11: "Q3_K_S"}
_FILE_TYPES |= {12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S"}
_FILE_TYPES |= {17: "Q5_K_M", 18: "Q6_K", 30: "IQ4_XS", 32: "BF16"}


class _Said(TypedDict):
    licence: str
    stored: str
    tuned: bool


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
    named: bool
    made: dict[str, Any] | None = None
    licence: str = ""
    stored: str = ""
    tuned: bool = False

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


def installed(folders: Sequence[Path] = ()) -> list[Installed]:
    """The models with a name, then the GGUF files in `folders`, each once.

    A folder that cannot be read holds none.
    """
    found = [
        Installed(
            model.name,
            model.path,
            model.path.stat().st_size,
            model.summary,
            named=True,
            **_says(model.path),
        )
        for model in CATALOG
        if model.path.exists()
    ]
    seen = {model.path.resolve() for model in found}
    for folder in folders:
        for path in _files(folder, _DEEPEST):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                made = _manifest(path)
                of = (path.stem, path, _size(path), _made(made), False, made)
                found.append(Installed(*of, **_says(path)))
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


def _says(path: Path) -> _Said:
    try:
        metadata = read_metadata(path)
    except ModelError:
        metadata = {}
    kind = metadata.get("general.file_type")
    return {
        "licence": str(metadata.get("general.license", "")),
        "stored": _FILE_TYPES.get(kind, "") if isinstance(kind, int) else "",
        "tuned": bool(speeds(path)),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        made = json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return made if isinstance(made, dict) else None


def _made(made: dict[str, Any] | None) -> str:
    if made is None:
        return "A GGUF file without a manifest."
    said = f"{made.get('quant')} of {made.get('source')}"
    if adapters := made.get("adapters"):
        said += f" with {', '.join(map(str, adapters))}"
    return f"{said}."
