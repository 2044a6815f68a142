"""Checkpoint folders as model publishers lay them out, looked at before an engine loads one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.bounds import open_ordinary, read_small
from bonito_local.errors import ModelError
from bonito_local.shapes import parse

_INDEX = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
# What changes a completion; a README or an optimizer's state does not.
_WEIGHED = ("*.safetensors", "*.json", "*.jinja", "tokenizer.model")
_AGAIN = "Download or save the checkpoint again."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that holds a causal language model, its weights and its tokenizer.

    Attributes:
        config: what its config.json says.
        weights: the safetensors files.
    """

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]

    @property
    def context_length(self) -> int:
        """The most tokens a sequence had in training; 2048 where it is not said."""
        found = self.config.get("max_position_embeddings")
        return found if isinstance(found, int) and found > 0 else 2048

    @property
    def quantization(self) -> str:
        """How its weights are quantized already (gptq, awq, bitsandbytes, ...), or nothing."""
        found = self.config.get("quantization_config")
        return str(found.get("quant_method", "")) if isinstance(found, dict) else ""

    @property
    def weight_bytes(self) -> int:
        """What its weights take at 16 bits, or as they are quantized."""
        found = sum(path.stat().st_size for path in self.weights)
        kept = self.config.get("dtype") or self.config.get("torch_dtype")
        return found // 2 if kept == "float32" else found

    @property
    def metadata(self) -> dict[str, object]:
        """What a GGUF of it would say of its name, chat template and the tokens in that.

        Raises:
            ModelError: a file that may hold the template is broken.
        """
        found = {"general.name": f"{self.config.get('_name_or_path', '')} {self.folder.name}"}
        if template := chat_template(self.folder):
            found["tokenizer.chat_template"] = template
            settings = self.folder / "tokenizer_config.json"
            said = _json(settings) if settings.is_file() else {}
            for name in ("bos_token", "eos_token"):
                token = said.get(name)
                token = token.get("content") if isinstance(token, dict) else token
                if isinstance(token, str):
                    found[f"tokenizer.{name}"] = token
        return {**found}

    def sha256(self) -> str:
        """Hash of all that changes a completion: weights, configuration and tokenizer."""
        total = hashlib.sha256()
        for path in sorted({p for kind in _WEIGHED for p in self.folder.glob(kind)}):
            try:
                with open_ordinary(path) as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(path, error) from error
            total.update(f"{path.name} {digest}\n".encode())
        return total.hexdigest()


def read_checkpoint(folder: Path) -> Checkpoint:
    """Look at a folder without loading any weight.

    Raises:
        ModelError: it is no complete checkpoint of a model that generates text.
    """
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise ModelError(
                f"{folder} holds an adapter, not a model.",
                "Merge it: `bonito-local convert BASE --adapter FOLDER -o model.gguf`.",
            )
        raise ModelError(f"{folder} is not a checkpoint: it has no config.json.", "Check the path.")
    config = _json(folder / "config.json")
    architectures = config.get("architectures")
    architectures = architectures if isinstance(architectures, list) else []
    if not any(str(name).endswith("ForCausalLM") for name in architectures):
        named = ", ".join(map(str, architectures)) or "no architecture"
        raise ModelError(
            f"{folder} cannot generate text: it is {named}.", "Use a causal language model."
        )
    weights = _weights(folder)
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise ModelError(f"{folder} has no tokenizer.", _AGAIN)
    return Checkpoint(folder, config, weights)


def _weights(folder: Path) -> tuple[Path, ...]:
    if (folder / _INDEX).is_file():
        named = _json(folder / _INDEX).get("weight_map")
        known = isinstance(named, dict) and all(isinstance(of, str) for of in named.values())
        if not known or not named:
            raise ModelError(f"{folder / _INDEX} names no weights.", _AGAIN)
        found = [folder / name for name in sorted(set(named.values()))]
        lacking = [path.name for path in found if not _is_file(path)]
        if lacking:
            raise ModelError(f"{folder} is incomplete: {lacking[0]:.100} is missing.", _AGAIN)
        return tuple(found)
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt*")):
            raise ModelError(
                f"{folder} holds pickled weights, which can run code.",
                "Save the model again as safetensors.",
            )
        raise ModelError(f"{folder} holds no weights.", _AGAIN)
    return tuple(found)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def chat_template(folder: Path) -> str:
    """The chat template, from the file of its own or among the tokenizer's settings; or nothing.

    Where there are several the one named "default" is meant, as transformers takes it.

    Raises:
        ModelError: a file that may hold it is broken.
    """
    alone, settings = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if alone.is_file():
        try:
            return read_small(alone).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{alone} cannot be read.", _AGAIN) from error
    found = _json(settings).get("chat_template") if settings.is_file() else None
    if isinstance(found, list):  # several, each with a name
        named = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        data = parse(read_small(path))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise ModelError(f"{path} is not JSON.", _AGAIN) from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} is not a JSON object.", _AGAIN)
    return data


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"{path} cannot be read: {error.strerror}.", "Check the path.")
