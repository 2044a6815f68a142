"""What a byte-level tokenizer does to a text before its merges, by llama.cpp's names for it.

`tokenizer.json` spells out how words are split; `tokenizer.ggml.pre` names the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bonito_local.backends.llamacpp.normalizing import FORMS, Form
from bonito_local.errors import ConvertError

# The pattern of each pre-tokenizer, as in the models' own tokenizer.json -> llama.cpp's name.
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PATTERNS = {_GPT2: "gpt-2", _WORDS % "{1,3}": "llama-bpe", _WORDS % "": "qwen2"}
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_DIGITS = {"type": "Digits", "individual_digits": True}

Json = dict[str, Any]


def _split_steps(pattern: str) -> Json:
    words = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated"}
    steps = [{**words, "invert": False}, {**_BYTE_LEVEL, "use_regex": False}]
    return {"type": "Sequence", "pretokenizers": steps}


# llama.cpp's name -> the entry in tokenizer.json. GPT-2's pattern is ByteLevel's own.
_WHOLE: Json = {**_BYTE_LEVEL, "use_regex": True}
PRE_TOKENIZERS: dict[str, Json] = {name: _split_steps(text) for text, name in _PATTERNS.items()}
PRE_TOKENIZERS["gpt-2"] = _WHOLE
PRE_TOKENIZERS["smollm"] = {"type": "Sequence", "pretokenizers": [_DIGITS, _WHOLE]}


def read_pre_tokenizer(path: Path, tokenizer: Mapping[str, Any]) -> str:
    """Return llama.cpp's name for the way in which a `tokenizer.json` splits words.

    Raises:
        ConvertError: llama.cpp has no name for it.
    """
    outer = tokenizer.get("pre_tokenizer") or {}
    steps = outer.get("pretokenizers") or [outer]
    if _is_smollm(steps):
        return "smollm"
    byte_level = [step for step in steps if step.get("type") == "ByteLevel"]
    splits = [step for step in steps if step.get("type") == "Split"]
    if len(byte_level) == 1 and len(byte_level) + len(splits) == len(steps):
        plain = not byte_level[0].get("add_prefix_space", True)
        if plain and not splits and byte_level[0].get("use_regex", True):
            return "gpt-2"
        if plain and len(splits) == 1 and not byte_level[0].get("use_regex", True):
            pattern = (splits[0].get("pattern") or {}).get("Regex")
            isolated = splits[0].get("behavior") == "Isolated" and not splits[0].get("invert")
            if isolated and pattern in _PATTERNS:
                return _PATTERNS[pattern]
    raise ConvertError(
        f"{path} splits words in a way that llama.cpp has no name for.",
        "Supported: byte-level BPE as of GPT-2, Llama 3, Qwen2 and SmolLM, and SentencePiece.",
    )


def _is_smollm(steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether digits are split one by one, and the rest by GPT-2's pattern."""
    if [step.get("type") for step in steps] != ["Digits", "ByteLevel"]:
        return False
    digits, byte_level = steps
    return (
        bool(digits.get("individual_digits"))
        and not byte_level.get("add_prefix_space", True)
        and bool(byte_level.get("use_regex", True))
    )


def read_normalizer(path: Path, tokenizer: Mapping[str, Any]) -> Form | None:
    """Return the Unicode normalization that a byte-level `tokenizer.json` begins with.

    Raises:
        ConvertError: it changes the text in another way, which would be lost in a GGUF.
    """
    outer = tokenizer.get("normalizer")
    if not outer:
        return None
    steps = outer.get("normalizers", [outer])
    if not steps:
        return None
    if len(steps) == 1:
        for form in FORMS:
            if steps[0].get("type") == form:
                return form
    raise ConvertError(
        f"{path} normalizes text by {' and '.join(str(step.get('type')) for step in steps)}, "
        "which a GGUF cannot say.",
        f"Supported: none, or one of {', '.join(FORMS)}.",
    )
