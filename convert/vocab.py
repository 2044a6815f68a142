"""A checkpoint's tokenizer as GGUF stores it.

Three kinds are known: byte-level BPE in `tokenizer.json` (GPT-2, Llama 3, Qwen2, SmolLM,
told apart by how they split words), SentencePiece BPE in `tokenizer.json` (merges become scores),
and SentencePiece's own `tokenizer.model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType

from bonito_local.backends.checkpoint import chat_template
from bonito_local.backends.llamacpp.normalizing import KEY, NO_FORM, Form, implied_form
from bonito_local.convert.checkpoint import read_json
from bonito_local.convert.sentencepiece import read_model
from bonito_local.convert.word_split import read_normalizer, read_pre_tokenizer
from bonito_local.errors import ConvertError

# A special token's name in a tokenizer_config.json -> in GGUF's keys.
GGUF_NAMES = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
SPACE = "\u2581"  # SentencePiece's mark for a space


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by id, and how text is split into them. `scores` is empty for BPE with merges."""

    model: str
    pre: str
    normalizer: Form | None
    tokens: tuple[bytes, ...]
    types: tuple[int, ...]
    scores: tuple[float, ...]
    merges: tuple[str, ...]
    special: Mapping[str, int]
    add_bos: bool
    add_eos: bool
    add_space_prefix: bool
    chat_template: str

    def write(self, writer: GGUFWriter) -> None:
        """Add the tokenizer's keys."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        if self.normalizer != implied_form(self.pre):
            writer.add_string(KEY, self.normalizer or NO_FORM)
        writer.add_token_list(list(self.tokens))
        writer.add_token_types(list(self.types))
        if self.scores:
            writer.add_token_scores(list(self.scores))
        if self.merges:
            writer.add_token_merges(list(self.merges))
        for kind, token in self.special.items():
            writer.add_uint32(f"tokenizer.ggml.{GGUF_NAMES[kind]}_token_id", token)
        writer.add_add_bos_token(self.add_bos)
        writer.add_add_eos_token(self.add_eos)
        if self.model == "llama":
            writer.add_add_space_prefix(self.add_space_prefix)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def read_vocabulary(folder: Path, config: Mapping[str, Any], size: int) -> Vocabulary:
    """Read the tokenizer in `folder` for an embedding of `size` rows.

    Ids that no token has become unused `[PAD<id>]` tokens, as in `convert_hf_to_gguf.py`.

    Raises:
        ConvertError: no tokenizer, one that llama.cpp cannot reproduce, or more tokens than rows.
        ModelError: the file of its chat template cannot be read.
    """
    settings_path = folder / "tokenizer_config.json"
    settings = read_json(settings_path) if settings_path.exists() else {}
    if (folder / "tokenizer.json").exists():
        table = _from_json(folder / "tokenizer.json", size)
    elif (folder / "tokenizer.model").exists():
        table = _from_sentencepiece(folder, settings, size)
    else:
        raise ConvertError(
            f"{folder} has no tokenizer.json and no tokenizer.model.", "Add the tokenizer."
        )
    special = _special_ids(folder, settings, config, table)
    add_bos, add_eos = table.ends or (
        settings.get("add_bos_token", table.model == "llama"),
        settings.get("add_eos_token", False),
    )
    return Vocabulary(
        model=table.model,
        pre=table.pre,
        normalizer=table.normalizer,
        tokens=tuple(table.tokens),
        types=tuple(table.types),
        scores=tuple(table.scores),
        merges=tuple(table.merges),
        special=special,
        add_bos=bool(add_bos) and "bos" in special,
        add_eos=bool(add_eos) and "eos" in special,
        add_space_prefix=table.add_space_prefix,
        chat_template=chat_template(folder),
    )


class _Table:
    """A vocabulary while it is filled."""

    def __init__(self, model: str, pre: str, size: int, source: Path) -> None:
        self.model = model
        self.pre = pre
        self.normalizer: Form | None = None
        self.source = source
        self.tokens = [f"[PAD{i}]".encode() for i in range(size)]
        self.types = [int(TokenType.UNUSED)] * size
        self.scores: list[float] = [] if model == "gpt2" else [-10000.0] * size
        self.merges: list[str] = []
        # (BOS first, EOS last) where tokenizer.json itself says so.
        self.ends: tuple[bool, bool] | None = None
        self.add_space_prefix = True

    def set(self, index: Any, text: str, kind: TokenType, score: float = 0.0) -> None:
        if type(index) is not int or not 0 <= index < len(self.tokens):
            raise ConvertError(
                f"{self.source} has token {text!r} with id {index}, but the model has "
                f"{len(self.tokens)} embeddings.",
                "Use the tokenizer that the checkpoint was trained with.",
            )
        self.tokens[index] = text.encode("utf-8", "surrogatepass")
        self.types[index] = int(kind)
        if self.scores:
            self.scores[index] = score

    def add_special(self, index: Any, text: str, special: bool) -> None:
        """An added token: found in text before the model splits it."""
        kind = TokenType.CONTROL if special else TokenType.USER_DEFINED
        self.set(index, text, kind, -1000.0)


def _from_json(path: Path, size: int) -> _Table:
    tokenizer = read_json(path)
    model = tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise ConvertError(f"{path} is not a BPE tokenizer.", "Unigram and WordPiece: unsupported.")
    vocab, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocab, dict) or not isinstance(merges, list):
        raise ConvertError(f"{path} has no vocabulary or no merges.", "Download it again.")
    pairs = [_pair(path, merge) for merge in merges]
    if model.get("byte_fallback"):
        table = _Table("llama", "default", size, path)
        _sentencepiece_scores(table, vocab, pairs)
        table.add_space_prefix = _adds_space_prefix(path, tokenizer)
    else:
        table = _Table("gpt2", read_pre_tokenizer(path, tokenizer), size, path)
        table.normalizer = read_normalizer(path, tokenizer)
        for text, index in vocab.items():
            table.set(index, text, TokenType.NORMAL)
        # A byte-level vocabulary writes a space as U+0120, so a space can separate the pair.
        table.merges = [" ".join(pair) for pair in pairs]
    for token in tokenizer.get("added_tokens") or []:
        special = bool(token.get("special"))
        if table.model == "llama" and token.get("content") == model.get("unk_token"):
            table.set(token.get("id"), token["content"], TokenType.UNKNOWN)
        else:
            table.add_special(token.get("id"), str(token.get("content")), special)
    table.ends = _template(tokenizer)
    return table


def _pair(path: Path, merge: Any) -> tuple[str, str]:
    """A merge is "left right" in older files and [left, right] since tokenizers 0.20."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list) or len(parts) != 2 or not all(type(p) is str for p in parts):
        raise ConvertError(f"{path} has a malformed merge: {merge!r}.", "Download it again.")
    return parts[0], parts[1]


def _sentencepiece_scores(
    table: _Table, vocab: Mapping[str, int], pairs: list[tuple[str, str]]
) -> None:
    """llama.cpp merges the pair whose result scores highest: a merge's rank is its score."""
    ranks: dict[str, int] = {}
    for rank, (left, right) in enumerate(pairs):
        ranks.setdefault(left + right, rank)
    for text, index in vocab.items():
        byte = len(text) == 6 and text.startswith("<0x") and text.endswith(">")
        kind = TokenType.BYTE if byte else TokenType.NORMAL
        table.set(index, text, kind, -float(ranks.get(text, len(pairs))))


def _adds_space_prefix(path: Path, tokenizer: Mapping[str, Any]) -> bool:
    """Whether a space goes before the text, by its normalizer or its Metaspace step."""
    outer = tokenizer.get("normalizer") or {}
    for step in outer.get("normalizers") or [outer]:
        if step.get("type") == "Prepend":
            return True
    before = tokenizer.get("pre_tokenizer") or {}
    if before.get("type") == "Metaspace":
        return bool(before.get("prepend_scheme", "always") != "never")
    return False


def _template(tokenizer: Mapping[str, Any]) -> tuple[bool, bool] | None:
    """Whether the post-processor puts a special token first, and one last, if it has a say."""
    outer = tokenizer.get("post_processor") or {}
    for step in outer.get("processors") or [outer]:
        if step.get("type") == "TemplateProcessing" and (single := step.get("single")):
            return "SpecialToken" in single[0], "SpecialToken" in single[-1]
    return None


def _from_sentencepiece(folder: Path, settings: Mapping[str, Any], size: int) -> _Table:
    path = folder / "tokenizer.model"
    model = read_model(path)
    table = _Table("llama", "default", size, path)
    table.add_space_prefix = model.add_dummy_prefix
    for index, piece in enumerate(model.pieces):
        table.set(index, piece.text, TokenType(piece.type), piece.score)
    added = folder / "added_tokens.json"
    for text, index in (read_json(added) if added.exists() else {}).items():
        table.add_special(index, text, special=False)
    added_tokens = settings.get("added_tokens_decoder") or {}
    if not _is_decoder(added_tokens):
        raise ConvertError(f"{folder} has no sound added_tokens_decoder.", "Download it again.")
    for key, token in added_tokens.items():
        index, text = int(key), str(token.get("content"))
        if index < len(model.pieces) and model.pieces[index].text == text:
            continue
        table.add_special(index, text, bool(token.get("special")))
    return table


def _is_decoder(added: Any) -> bool:
    """Return whether these are tokens by their number, as transformers saves them."""
    return isinstance(added, dict) and all(
        len(key) < 10 and key.isdecimal() and isinstance(token, dict)
        for key, token in added.items()
    )


def _special_ids(
    folder: Path, settings: Mapping[str, Any], config: Mapping[str, Any], table: _Table
) -> dict[str, int]:
    """The tokenizer's own special tokens by text, then the ids that the config gives."""
    by_text = {text: index for index, text in enumerate(table.tokens)}
    found: dict[str, int] = {}
    for kind in GGUF_NAMES:
        token = settings.get(f"{kind}_token")
        text = token.get("content") if isinstance(token, dict) else token
        index = (
            by_text.get(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else None
        )
        if index is None:
            index = config.get(f"{kind}_token_id")
            # Llama 3 lists several ends; llama.cpp finds the others by their text.
            index = index[0] if isinstance(index, list) and index else index
        if index is None:
            continue
        if type(index) is not int or not 0 <= index < len(table.tokens):
            raise ConvertError(f"The {kind} token of {folder} has id {index!r}.")
        found[kind] = index
    if "eos" not in found:
        raise ConvertError(
            f"{folder} names no EOS token.", "Set eos_token in tokenizer_config.json."
        )
    return found
