"""A GGUF's tokenizer as the files that transformers and tokenizers read.

`tokenizer.json` is written to give llama.cpp's tokens: byte-level BPE from the merges, or
SentencePiece BPE from the scores, with the word split that `tokenizer.ggml.pre` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gguf import TokenType

from bonito_local.backends.llamacpp.normalizing import form_of
from bonito_local.convert.gguf_source import GgufSource
from bonito_local.convert.vocab import GGUF_NAMES, SPACE
from bonito_local.convert.word_split import PRE_TOKENIZERS, Json
from bonito_local.errors import ConvertError

_AGAIN = "Convert or download the model again."
_ADDED = (TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.UNKNOWN)
_DECODER = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
# llama.cpp puts BOS before a text of these without being asked to.
_BOS_BY_DEFAULT = ("llama", "llama-bpe")


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """The contents of `tokenizer.json` and `tokenizer_config.json`."""

    tokenizer: Json
    settings: Json


def restore_tokenizer(source: GgufSource) -> TokenizerFiles:
    """Rebuild the tokenizer of a GGUF file.

    Raises:
        ConvertError: its kind or its word split is not known here, or its lists do not fit
            together.
    """
    kind = source.metadata.get("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise ConvertError(
            f"{source.path} has a tokenizer of kind {kind!r}, which cannot be rebuilt.",
            "Supported: gpt2 (byte-level BPE) and llama (SentencePiece BPE).",
        )
    tokens, types = _list(source, "tokens", str), _list(source, "token_type", int)
    if len(types) != len(tokens):
        raise ConvertError(f"{source.path} has {len(types)} types of {len(tokens)} tokens.", _AGAIN)
    # Converters name rows of the embedding without a token so; Hugging Face lists no such token.
    vocab = {
        text: index
        for index, (text, of_type) in enumerate(zip(tokens, types, strict=True))
        if of_type != TokenType.UNUSED or text != f"[PAD{index}]"
    }
    special = _special_tokens(source, tokens)
    parts = _sentencepiece(source, vocab, types) if kind == "llama" else _byte_level(source, vocab)
    first, last = (_adds(source, end, kind) and end in special for end in ("bos", "eos"))
    tokenizer: Json = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            _added(index, text, special=types[index] != TokenType.USER_DEFINED)
            for text, index in vocab.items()
            if types[index] in _ADDED
        ],
        **parts,
        "post_processor": _ends(
            vocab, [special["bos"]] if first else [], [special["eos"]] if last else []
        ),
    }
    settings: Json = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": first,
        "add_eos_token": last,
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": text for name, text in special.items()},
        "additional_special_tokens": [
            text
            for text, index in vocab.items()
            if types[index] == TokenType.CONTROL and text not in special.values()
        ],
    }
    arch = source.metadata.get("general.architecture")
    if context := source.metadata.get(f"{arch}.context_length"):
        settings["model_max_length"] = context
    if template := source.metadata.get("tokenizer.chat_template"):
        settings["chat_template"] = template
    return TokenizerFiles(tokenizer, settings)


def _list(source: GgufSource, name: str, of: type) -> list[Any]:
    values = source.lists.get(f"tokenizer.ggml.{name}")
    if not values or not all(type(value) is of for value in values):
        raise ConvertError(f"{source.path} has no sound list tokenizer.ggml.{name}.", _AGAIN)
    return list(values)


def _added(index: int, text: str, *, special: bool) -> Json:
    # llama.cpp looks for these in the text as it is: before any normalizer.
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": index, "content": text, **plain, "special": special}


def _special_tokens(source: GgufSource, tokens: Sequence[str]) -> dict[str, str]:
    """The texts of BOS, EOS, UNK and PAD, where the file names them."""
    special = {}
    for name, key in GGUF_NAMES.items():
        index = source.metadata.get(f"tokenizer.ggml.{key}_token_id")
        if index is None:
            continue
        if type(index) is not int or not 0 <= index < len(tokens):
            raise ConvertError(f"{source.path} has {index!r} for its {name} token's id.", _AGAIN)
        special[name] = tokens[index]
    return special


def _adds(source: GgufSource, end: str, kind: str) -> bool:
    default = end == "bos" and (
        kind in _BOS_BY_DEFAULT or source.metadata.get("tokenizer.ggml.pre") in _BOS_BY_DEFAULT
    )
    return bool(source.metadata.get(f"tokenizer.ggml.add_{end}_token", default))


def _ends(vocab: Mapping[str, int], first: list[str], last: list[str]) -> Json | None:
    """The step that puts BOS first and EOS last."""

    def template(name: str, type_id: int) -> list[Json]:
        return [
            *({"SpecialToken": {"id": text, "type_id": type_id}} for text in first),
            {"Sequence": {"id": name, "type_id": type_id}},
            *({"SpecialToken": {"id": text, "type_id": type_id}} for text in last),
        ]

    if not first and not last:
        return None
    return {
        "type": "TemplateProcessing",
        "single": template("A", 0),
        "pair": [*template("A", 0), *template("B", 1)],
        "special_tokens": {
            text: {"id": text, "ids": [vocab[text]], "tokens": [text]} for text in {*first, *last}
        },
    }


def _byte_level(source: GgufSource, vocab: Mapping[str, int]) -> Json:
    pre = str(source.metadata.get("tokenizer.ggml.pre", "default"))
    if pre not in PRE_TOKENIZERS:
        raise ConvertError(
            f"{source.path} splits words by pre-tokenizer {pre!r}, which cannot be rebuilt.",
            f"Supported: {', '.join(PRE_TOKENIZERS)}. Use the model's own checkpoint.",
        )
    form = form_of(source.metadata)
    return {
        "normalizer": {"type": form} if form else None,
        "pre_tokenizer": PRE_TOKENIZERS[pre],
        "decoder": _DECODER,
        "model": _model(vocab, _merges(source, vocab), ignore_merges=pre == "llama-bpe"),
    }


def _merges(source: GgufSource, vocab: Mapping[str, int]) -> list[list[str]]:
    merges = [merge.split(" ") for merge in _list(source, "merges", str)]
    for pair in merges:
        if len(pair) != 2 or not {*pair, "".join(pair)} <= vocab.keys():
            raise ConvertError(
                f"{source.path} merges {' and '.join(map(repr, pair))}: not a pair of its tokens.",
                _AGAIN,
            )
    return merges


def _sentencepiece(source: GgufSource, vocab: Mapping[str, int], types: Sequence[int]) -> Json:
    scores = _list(source, "scores", float)
    if len(scores) != len(types):
        raise ConvertError(
            f"{source.path} has {len(scores)} scores of {len(types)} tokens.", _AGAIN
        )
    if not all(f"<0x{byte:02X}>" in vocab for byte in range(256)):
        raise ConvertError(f"{source.path} lacks tokens of single bytes.", _AGAIN)
    unknown = next((text for text, i in vocab.items() if types[i] == TokenType.UNKNOWN), None)
    before = [{"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]
    after: list[Json] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if source.metadata.get("tokenizer.ggml.add_space_prefix", True):
        before.insert(0, {"type": "Prepend", "prepend": SPACE})
        after.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {
        "normalizer": {"type": "Sequence", "normalizers": before},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": after},
        "model": _model(
            vocab,
            _ranked_merges(vocab, scores),
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=True,
        ),
    }


def _ranked_merges(vocab: Mapping[str, int], scores: Sequence[float]) -> list[list[str]]:
    """Every pair that llama.cpp may merge, in the order in which it prefers them.

    llama.cpp joins any two neighbours whose text is a token, the best score first.
    """
    ranked = []
    for text, index in vocab.items():
        for cut in range(1, len(text)):
            if text[:cut] in vocab and text[cut:] in vocab:
                ranked.append((-scores[index], index, text[:cut], text[cut:]))
    ranked.sort(key=lambda entry: entry[:2])
    return [[left, right] for _, _, left, right in ranked]


def _model(vocab: Mapping[str, int], merges: list[list[str]], **settings: Any) -> Json:
    plain: Json = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    return {**plain, **settings, "vocab": vocab, "merges": merges}
