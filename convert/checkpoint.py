"""A Hugging Face checkpoint folder: its config and where each tensor lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.bounds import read_small
from bonito_local.convert.safetensors import TensorRef, read_header
from bonito_local.errors import ConvertError
from bonito_local.shapes import parse

MAX_JSON = 200_000_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with `config.json` and safetensors; nothing of the weights is in memory."""

    path: Path
    config: dict[str, Any]
    tensors: dict[str, TensorRef]
    files: tuple[Path, ...]


def open_checkpoint(path: Path, sizes: Mapping[str, int] | None = None) -> Checkpoint:
    """Read the config and the headers of every shard.

    `sizes` has the bytes of shards of which only the header is there yet, by name.

    Raises:
        ConvertError: not a checkpoint folder; shards are missing or left over; a header is
            broken; the weights are pickles.
    """
    if not path.is_dir():
        raise ConvertError(f"{path} is not a checkpoint folder.", "Give a folder with config.json.")
    config = read_json(path / "config.json")
    files = _shards(path)
    tensors: dict[str, TensorRef] = {}
    for file in files:
        for name, ref in read_header(file, (sizes or {}).get(file.name)).items():
            if name in tensors:
                raise ConvertError(f"Tensor {name!r} is in {tensors[name].path.name} and {file}.")
            tensors[name] = ref
    return Checkpoint(path, config, tensors, files)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ConvertError: the file is missing, too large or not a JSON object.
    """
    try:
        if path.stat().st_size > MAX_JSON:
            raise ConvertError(f"{path} is too large for a JSON file of a checkpoint.")
        value = parse(read_small(path))
    except OSError as error:
        raise ConvertError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConvertError(f"{path} is not valid JSON.", "Download it again.") from error
    if not isinstance(value, dict):
        raise ConvertError(f"{path} is not a JSON object.", "Download it again.")
    return value


def _shards(path: Path) -> tuple[Path, ...]:
    index = path / "model.safetensors.index.json"
    present = {file.name for file in path.glob("model*.safetensors")}
    if not index.exists():
        if present == {"model.safetensors"}:
            return (path / "model.safetensors",)
        if present:
            raise ConvertError(
                f"{path} holds shards but no {index.name}.", "Download the checkpoint again."
            )
        if any(path.glob("*.bin")) or any(path.glob("*.pt*")):
            raise ConvertError(
                f"{path} holds pickled weights, which are never loaded.",
                "Get the safetensors version, or convert it where you trust the pickles.",
            )
        raise ConvertError(f"{path} holds no model.safetensors.", "Give a checkpoint folder.")
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(
        isinstance(name, str) and name == Path(name).name for name in weight_map.values()
    ):
        raise ConvertError(f"{index} has no sound weight_map.", "Download it again.")
    wanted = set(weight_map.values())
    if missing := sorted(wanted - present):
        raise ConvertError(f"Shards are missing in {path}: {', '.join(missing)}.", "Download them.")
    if extra := sorted(present - wanted):
        raise ConvertError(
            f"{path} holds shards that its index does not name: {', '.join(extra)}.",
            "Remove what belongs to another checkpoint.",
        )
    return tuple(path / name for name in sorted(wanted))
