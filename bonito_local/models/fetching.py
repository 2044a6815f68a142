"""What is fetched of a model at the hub, how far that is, and whether there is room for it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bonito_local.errors import ConvertError, DownloadError
from bonito_local.models.hub import HubFile, Repo

_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
_LONGEST_SMALL = 200_000_000
_MOST_SMALL = 1_000_000_000  # of all of them together
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: bytes fetched, and tensors written. `now` names the file or tensor.

    `to_fetch` is 0 where nothing is fetched.
    """

    now: str
    fetched: int
    to_fetch: int
    tensors: int = 0
    of_tensors: int = 0

    @property
    def share(self) -> float:
        """The part that is done: of the bytes, or of the tensors where nothing is fetched."""
        if self.to_fetch:
            return self.fetched / self.to_fetch
        return self.tensors / max(1, self.of_tensors)


Tell = Callable[[Step], None]


def published(repo: Repo, quant: str) -> HubFile | None:
    """The GGUF file of a model at the hub, where it has no checkpoint that could be converted.

    Raises:
        DownloadError: it has GGUF files, but none of this quantization.
    """
    if _WHOLE in repo.files or _INDEX in repo.files:
        return None
    found = [name for name in repo.files if name.lower().endswith(".gguf") and "/" not in name]
    if not found:
        raise DownloadError(
            f"{repo.name} has no weights in safetensors, and no GGUF file.",
            "Only those are fetched: other formats can run code.",
        )
    fitting = [name for name in found if quant.lower() in name.lower()]
    if len(fitting) != 1:
        raise DownloadError(
            f"{repo.name} has {'more than one' if fitting else 'no'} file of type {quant}.",
            f"There: {', '.join(sorted(found))}. Name one with --file.",
        )
    return repo.files[fitting[0]]


def to_fetch(repo: Repo, file: HubFile | None) -> int:
    """Bytes that a pull of this model fetches in all."""
    if file is not None:
        return file.bytes
    small = [kept for kept in repo.files.values() if is_small(kept)]
    if sum(kept.bytes for kept in small) > _MOST_SMALL:
        raise DownloadError(
            f"{repo.name} has over {_MOST_SMALL / 1e9:.0f} GB of files beside its weights.",
            "That is no model as others are; look at it at the hub.",
        )
    return sum(kept.bytes for kept in [*small, *weight_files(repo)])


def weight_files(repo: Repo) -> list[HubFile]:
    """The files of a checkpoint's weights."""
    if _INDEX in repo.files:
        return [file for name, file in repo.files.items() if _SHARD.fullmatch(name)]
    return [repo.files[_WHOLE]]


def is_small(file: HubFile) -> bool:
    """Whether it is a file beside the weights that a conversion reads."""
    wanted = file.name.endswith((".json", ".jinja")) or file.name == "tokenizer.model"
    plain = not {"/", "\\"} & set(file.name)
    return wanted and plain and file.bytes <= _LONGEST_SMALL


def check_room(folder: Path, needed: int) -> None:
    """See that a folder's disk holds so many bytes more.

    Raises:
        ConvertError: it does not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConvertError(
            f"{folder} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are needed.",
            "Free some space, or name another folder in BONITO_LOCAL_MODELS.",
        )
