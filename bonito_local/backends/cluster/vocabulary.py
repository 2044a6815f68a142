"""What the driver has to know of a model to plan passages, without loading its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bonito_local.errors import ModelError


class Vocabulary(Protocol):
    """A model's tokenizer and what its files say."""

    @property
    def context_length(self) -> int:
        """Most tokens (BOS, prompt and completion) one sequence may hold."""

    @property
    def metadata(self) -> Mapping[str, object]:
        """A GGUF file's keys; of a checkpoint its name and chat template, by GGUF's keys."""

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""


def open_vocabulary(backend: str, model: Path) -> Vocabulary:
    """Read the vocabulary of a GGUF file, or of a checkpoint.

    Raises:
        ModelError: it is missing or broken.
    """
    if backend == "fake":
        from bonito_local.backends.fake import Fake

        return Fake(model)
    if model.is_dir():
        return _CheckpointVocabulary(model)
    from bonito_local.backends.llamacpp.vocabulary import GgufVocabulary

    return GgufVocabulary(model)


class _CheckpointVocabulary:
    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        from bonito_local.backends.checkpoint import read_checkpoint

        checkpoint = read_checkpoint(folder)
        self.context_length = checkpoint.context_length
        self.metadata = checkpoint.metadata
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise ModelError(
                f"{folder} has no tokenizer.json, which planning for a cluster needs.",
                "Save its tokenizer with transformers' `save_pretrained`.",
            )
        self._tokenizer = Tokenizer.from_file(str(file))
        # The names of special tokens are plain text in a passage.
        self._tokenizer.encode_special_tokens = True

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)
