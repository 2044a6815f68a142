"""The Unicode normalization that some tokenizers begin with, and llama.cpp leaves out.

Without it a decomposed character ("e" and an accent) has other tokens than in training. GGUF has
no key for it: it goes by the pre-tokenizer's name, unless the file was converted here from a
tokenizer that differs from what its name implies.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Literal

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")
KEY = "bonito.tokenizer.normalizer"
NO_FORM = "none"

# `tokenizer.ggml.pre` of the models whose tokenizers apply NFC, as transformers 5.23 builds them:
# Qwen2Tokenizer, Qwen3_5Tokenizer, CohereTokenizer, and GPTNeoXTokenizer for OLMo and MPT.
_NFC = ("qwen2", "qwen35", "command-r", "olmo", "mpt")


def implied_form(pre: str) -> Form | None:
    """Return the normalization of the models that a pre-tokenizer is named after."""
    return "NFC" if pre in _NFC else None


def form_of(metadata: Mapping[str, object]) -> Form | None:
    """Return the normalization that a GGUF's tokenizer begins with, by the file's keys."""
    if metadata.get("tokenizer.ggml.model") != "gpt2":
        return None
    name = metadata.get(KEY)
    if name is not None:
        return next((form for form in FORMS if form == name), None)
    return implied_form(str(metadata.get("tokenizer.ggml.pre", "")))


def normalize(text: str, form: Form | None) -> str:
    """Return the text as the tokenizer takes it."""
    return unicodedata.normalize(form, text) if form else text
