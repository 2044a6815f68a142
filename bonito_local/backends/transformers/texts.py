"""A checkpoint's tokenizer, as engines of checkpoints use it."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from bonito_local.backends.base import Framed
from bonito_local.backends.likelihood import begins
from bonito_local.errors import ModelError


class Texts:
    """Prompts to tokens and drawn tokens to text."""

    def __init__(self, folder: Path) -> None:
        """Load the tokenizer.

        Raises:
            ModelError: it cannot be loaded.
        """
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(
                f"The tokenizer of {folder} cannot be loaded.", "Download or save it again."
            ) from error
        first: list[int] = self.tokenizer("")["input_ids"][:1]
        # BOS, where the tokenizer begins texts with it.
        self.bos = first if first == [self.tokenizer.bos_token_id] else []

    @property
    def eos(self) -> int:
        """What ends a text.

        Raises:
            ModelError: the tokenizer has no such token.
        """
        found: int | None = self.tokenizer.eos_token_id
        if found is None:
            raise ModelError("The tokenizer has no end-of-text token.", "Add eos_token to it.")
        return found

    def ends(self, stops: tuple[str, ...]) -> list[int]:
        """Return the special tokens among the stops: these are in no decoded text."""
        found = []
        for stop in stops:
            tokens = self._special(stop)
            if len(tokens) == 1 and tokens[0] in self.tokenizer.all_special_ids:
                found += tokens
        return found

    def encode(self, text: str) -> list[int]:
        """BOS and the tokens of `text`; special tokens' names are plain text but in a frame."""
        if not isinstance(text, Framed):
            return [*self.bos, *self.tokens(text)]
        head, tail = self._special(text.head), self._special(text.tail)
        # Some templates write BOS themselves.
        bos = [] if head[:1] == self.bos else self.bos
        return [*bos, *head, *self.tokens(text.text), *tail]

    def _special(self, text: str) -> list[int]:
        """The tokens of `text`; names of special tokens in it are those."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def tokens(self, text: str) -> list[int]:
        """The tokens of `text` alone, without BOS."""
        found = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        tokens: list[int] = found["input_ids"]
        return tokens

    def joined(self, prompt: str, text: str) -> tuple[list[int], int]:
        """Tokens of both together, and where the second begins."""
        alone = self.encode(prompt)
        if isinstance(prompt, Framed):
            return [*alone, *self.tokens(text)], len(alone)
        whole = self.encode(prompt + text)
        return whole, begins(alone, whole)

    def answer(self, text: str, ends: bool) -> list[int]:
        """The tokens of `text`, and EOS where that `ends` it."""
        return [*self.tokens(text), *([self.tokenizer.eos_token_id] if ends else [])]

    def encode_all(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each of many texts, without BOS."""
        found: list[list[int]] = self.tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True
        )["input_ids"]
        return found

    def count(self, text: str) -> int:
        """Number of tokens in `text`, without BOS."""
        return len(self.tokens(text))

    def decode_after(self, before: list[int], drawn: list[int]) -> str:
        """Decode `drawn` as it stands after `before`: a decoder drops the space of a first word."""
        return self._decode([*before, *drawn])[len(self._decode(before)) :]

    def _decode(self, tokens: list[int]) -> str:
        text: str = self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text
