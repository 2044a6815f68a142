"""LoRA adapter folders as PEFT saves them, looked at before an engine loads one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bonito_local.bounds import open_ordinary, read_small
from bonito_local.errors import ModelError
from bonito_local.shapes import parse

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_MOST_RANK = 512
_AGAIN = "Save the adapter again with PEFT."
_MERGE = "Merge it: `bonito-local convert BASE --adapter FOLDER -o model.gguf`."


@dataclass(frozen=True, slots=True)
class Adapter:
    """A folder with a LoRA adapter; `rank` is its r, `sha256` of its two files, in hex."""

    folder: Path
    rank: int
    sha256: str


def read_adapter(folder: Path) -> Adapter:
    """Look at an adapter without loading it.

    Raises:
        ModelError: it is none, or none that an engine can apply as the model runs.
    """
    try:
        data = read_small(folder / _CONFIG)
        config = parse(data)
        with open_ordinary(folder / _WEIGHTS) as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        if (folder / _CONFIG).is_file() and any(folder.glob("*.bin")):
            raise ModelError(
                f"{folder} holds pickled weights, which can run code.",
                "Save the adapter again as safetensors.",
            ) from error
        lacking = Path(str(error.filename)).name
        raise ModelError(f"{folder} is no LoRA adapter: it has no {lacking}.", _AGAIN) from error
    except OSError as error:
        raise ModelError(
            f"{folder} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    except ValueError as error:
        raise ModelError(f"{folder / _CONFIG} is not JSON.", _AGAIN) from error
    rank = config.get("r") if isinstance(config, dict) else None
    if not isinstance(rank, int) or rank < 1 or config.get("peft_type") != "LORA":
        raise ModelError(f"{folder} is no LoRA adapter: its config names no rank.", _AGAIN)
    if rank > _MOST_RANK or config.get("use_dora") or config.get("modules_to_save"):
        raise ModelError(f"{folder} holds more than low-rank matrices of {_MOST_RANK}.", _MERGE)
    digest = hashlib.sha256(data + weights.encode()).hexdigest()
    return Adapter(folder, rank, digest)
