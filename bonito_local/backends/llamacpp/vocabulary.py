"""A GGUF file's tokenizer and metadata without its weights, where another process runs it."""

from __future__ import annotations

from pathlib import Path

from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.backends.llamacpp.model import Model


class GgufVocabulary:
    """Counts tokens as the engine does.

    Attributes:
        metadata: the file's GGUF keys and values, as text.
        context_length: the most tokens a sequence had in training.
    """

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            ModelError: it is missing, broken, or not a model that can generate.
        """
        self._model = Model(path, vocabulary_only=True)
        self.metadata = self._model.metadata
        arch = self.metadata.get("general.architecture")
        self.context_length = int(read_header(path).metadata.get(f"{arch}.context_length", 0))

    def count_tokens(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return len(self._model.tokenize(text))
