"""Models by name, and model files by path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from bonito_local.backends.base import ModelFormat
from bonito_local.backends.checkpoint import read_checkpoint
from bonito_local.bounds import open_ordinary, user_path
from bonito_local.errors import ModelError, UsageError, did_you_mean
from bonito_local.models import store

GGUF_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that is known by a name, and what it is.

    Its file is among the package's assets (`asset`), or it is fetched from the Hugging Face hub
    (`repo`). A model with an `adapter`, a LoRA folder among the assets, is made on this machine:
    the hub has its base, the GGUF `base_file` with the hash `base_sha256`, and `metadata` goes
    into the merged GGUF.

    `terms` is what its licence asks of those who use it; `config` has the sizes of its
    `config.json`, which the size and memory of its quantizations follow from.
    """

    name: str
    summary: str
    licence: str
    asset: str = ""
    repo: str = ""
    terms: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    adapter: str = ""
    base_file: str = ""
    base_sha256: str = ""
    metadata: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where an asset's file lies once the package is installed."""
        return _asset(self.asset)

    @property
    def adapter_path(self) -> Path:
        """Where the adapter's folder lies once the package is installed."""
        return _asset(self.adapter)


def _asset(name: str) -> Path:
    return Path(str(files("bonito_local.assets").joinpath(name)))


@dataclass(frozen=True)  # no slots: what is computed once is kept in it
class ModelFile:
    """A GGUF file or a checkpoint folder on disk.

    A model that a server has is known by its name alone: path and hash say nothing.
    """

    name: str
    path: Path
    format: ModelFormat

    @cached_property
    def sha256(self) -> str:
        """Hash of what it is made of, in hex: all of it is read when this is first asked for.

        Raises:
            ModelError: it can no longer be read.
        """
        if self.format == "name":
            return ""
        if self.format == "checkpoint":
            return read_checkpoint(self.path).sha256()
        try:
            with open_ordinary(self.path) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(self.path, error) from error


# Sizes of Mistral-7B-v0.1 and Llama-3.1-8B, as their config.json says.
_SIZES = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
}
CATALOG = (
    CatalogModel(
        "bonito-small",
        "Comes with the package, from SmolLM2-135M: for first rows, not for large datasets.",
        "cc-by-sa-4.0",
        asset="bonito-small.gguf",
    ),
    CatalogModel(
        "bonito-0.5b",
        "Not ready yet: Qwen2.5-Coder-0.5B with an adapter of our own, for machines without a GPU.",
        "cc-by-sa-4.0",
        repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        config={
            "architectures": ["Qwen2ForCausalLM"],
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            "vocab_size": 151936,
            "max_position_embeddings": 32768,
        },
        adapter="bonito-0.5b",
        base_file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        base_sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        metadata={
            "general.name": "bonito-0.5b",
            "general.base_model.count": 1,
            "general.base_model.0.name": "Qwen2.5-Coder-0.5B-Instruct",
            "general.base_model.0.organization": "Qwen",
            "general.base_model.0.repo_url": (
                "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct"
            ),
            "bonito.passage_tokens": 200,
            "bonito.task_types": "exqa,ynqa,qa,mcqa,qg,nli,te,summarization,topic_class,text_gen,"
            "paraphrase_id,sent_comp,sentiment",
        },
    ),
    CatalogModel(
        "bonito-v1",
        "The paper's model, from Mistral-7B: for real datasets.",
        "apache-2.0",
        repo="BatsResearch/bonito-v1",
        config={
            **_SIZES,
            "architectures": ["MistralForCausalLM"],
            "vocab_size": 32000,
            "max_position_embeddings": 32768,
        },
    ),
    CatalogModel(
        "Llama-3.1-8B-bonito-v1",
        "The same training on Llama-3.1-8B: about as good, with other terms.",
        "llama3.1",
        repo="BatsResearch/Llama-3.1-8B-bonito-v1",
        terms="A model that is trained on what it writes, and given to others, must have a name "
        "that begins with Llama, and say 'Built with Llama'.",
        config={
            **_SIZES,
            "architectures": ["LlamaForCausalLM"],
            "vocab_size": 128256,
            "max_position_embeddings": 131072,
        },
    ),
)


def is_name(text: str) -> bool:
    """Whether a model is meant by its name, not by the path of its file."""
    return bool(text) and Path(text).name == text and not text.lower().endswith(store.SUFFIX)


def known(name: str) -> CatalogModel | None:
    """The model of the catalog with this name, whether or not it is on this machine."""
    return next((model for model in CATALOG if model.name == name), None)


def locate(name: str) -> Path | None:
    """The file of a model that has a name here: the package's own, or one of the store."""
    model = known(name)
    return model.path if model is not None and model.asset else store.find(name)


def resolve_model(name_or_path: str, formats: tuple[ModelFormat, ...] = ("gguf",)) -> ModelFile:
    """Find a model by its name, or by the path of a GGUF file or checkpoint.

    `formats` are those that the engine takes.

    Raises:
        UsageError: no such name, nor a file there.
        ModelError: the model is missing, broken, or of a format not in `formats`.
    """
    if formats == ("name",):
        return ModelFile(name_or_path, Path(name_or_path), "name")
    if (file := locate(name_or_path)) is not None:
        return _model_file(name_or_path, file, formats)
    path = user_path(name_or_path)
    if path.is_dir():
        if "checkpoint" not in formats:
            raise ModelError(
                f"{path} is a folder, not a GGUF file.",
                "Make a GGUF of a checkpoint with `bonito-local convert`, or load it as it is "
                "with --backend auto.",
            )
        read_checkpoint(path)
        return ModelFile(path.resolve().name, path, "checkpoint")
    if path.exists() or not is_name(name_or_path):
        return _model_file(path.stem, path, formats)
    if known(name_or_path) is not None:
        raise ModelError(
            f"The model {name_or_path} is not on this machine.",
            f"Fetch it: `bonito-local models pull {name_or_path}`. On a machine without a "
            "network, bring a bundle: see docs/models.md.",
        )
    names = [*(model.name for model in CATALOG), *store.names()]
    near = did_you_mean(name_or_path, list(dict.fromkeys(names)))
    raise UsageError(f"Unknown model {name_or_path!r}.", f"{near} Or give the path of a GGUF file.")


def _model_file(name: str, path: Path, formats: tuple[ModelFormat, ...]) -> ModelFile:
    try:
        with open_ordinary(path) as file:
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
    except OSError as error:
        raise _unreadable(path, error) from error
    return ModelFile(name, path, "gguf")


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(
        f"The model file {path} cannot be read: {error.strerror}.",
        "Check the path, or see `bonito-local models` for models that have a name.",
    )
