"""Models by name, and model files by path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bonito_local.backends.base import ModelFormat
from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.errors import ModelError, UsageError, did_you_mean

GGUF_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that has a name: its file among the package's assets, and what it is."""

    name: str
    asset: str
    summary: str

    @property
    def path(self) -> Path:
        """Where the file lies once the package is installed."""
        return Path(str(files("bonito_local.assets").joinpath(self.asset)))


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file or a checkpoint folder on disk; `sha256` is of its bytes, in hex.

    A model that a server has is known by its name alone: path and hash say nothing.
    """

    name: str
    path: Path
    sha256: str


CATALOG = (
    CatalogModel(
        "bonito-tiny",
        "bonito-tiny.gguf",
        "Small model that comes with the package: to try things out, not for real datasets.",
    ),
)


def resolve_model(name_or_path: str, formats: tuple[ModelFormat, ...] = ("gguf",)) -> ModelFile:
    """Find a model by its name in the catalog, or by the path of a GGUF file or checkpoint.

    `formats` are those that the engine takes.

    Raises:
        UsageError: no such name, nor a file there.
        ModelError: the model is missing, broken, or of a format not in `formats`.
    """
    if formats == ("name",):
        return ModelFile(name_or_path, Path(name_or_path), "")
    known = {model.name: model for model in CATALOG}
    model = known.get(name_or_path)
    if model is not None:
        return _model_file(model.name, model.path, formats)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if "checkpoint" not in formats:
            raise ModelError(
                f"{path} is a folder, not a GGUF file.",
                "Make a GGUF of a checkpoint with `bonito-local convert`, or load it as it is "
                "with --backend auto.",
            )
        return ModelFile(path.resolve().name, path, read_checkpoint(path).sha256())
    if path.exists() or path.suffix.lower() == ".gguf" or path.name != name_or_path:
        return _model_file(path.stem, path, formats)
    near = did_you_mean(name_or_path, list(known))
    raise UsageError(f"Unknown model {name_or_path!r}.", f"{near} Or give the path of a GGUF file.")


def _model_file(name: str, path: Path, formats: tuple[ModelFormat, ...]) -> ModelFile:
    try:
        with path.open("rb") as file:
            if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
                raise ModelError(
                    f"{path} is not a GGUF file.",
                    "Make one of a checkpoint with `bonito-local convert`.",
                )
            if "gguf" not in formats:
                raise ModelError(
                    f"{name} is a GGUF file; this backend loads checkpoint folders.",
                    "Give the folder of a checkpoint, or use --backend llamacpp.",
                )
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"The model file {path} cannot be read: {error.strerror}.",
            "Check the path, or see `bonito-local models` for models that have a name.",
        ) from error
    return ModelFile(name, path, digest)
