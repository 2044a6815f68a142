"""A GGUF model: loading, metadata and its tokenizer."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bonito_local.backends.base import Framed
from bonito_local.backends.llamacpp.bindings import Handle, first_error, forget_errors, lib
from bonito_local.backends.llamacpp.gguf_file import GgufHeader, read_header
from bonito_local.backends.llamacpp.guide import Vocabulary
from bonito_local.backends.llamacpp.machine import check_memory
from bonito_local.backends.llamacpp.normalizing import form_of, normalize
from bonito_local.backends.llamacpp.trial import see_that_it_loads
from bonito_local.errors import ModelError

Tokens = npt.NDArray[np.int32]

_EPSILON = "attention.layer_norm_rms_epsilon"
_MOST_LAYERS = 512
_WANTED = "Use a text-generating model of the Llama or Mistral kind."


class Model:
    """A loaded model and its vocabulary.

    Attributes:
        metadata: the file's GGUF keys and values, as text; `tokenizer.bos_token` and
            `tokenizer.eos_token` are these tokens' names, for chat templates.
        context_length: the most tokens a sequence had in training.
        kv_bytes: memory of one KV cell (one token of one sequence) at 16 bits.
        eos: the token that ends a text; negative where there is none.
    """

    def __init__(
        self,
        path: Path,
        *,
        repack: bool = False,
        gpu_layers: int = -1,
        vocabulary_only: bool = False,
    ) -> None:
        """Check and load a file; without its weights it only counts tokens.

        Raises:
            ModelError: it is missing, broken, cannot generate, or does not fit in memory.
        """
        header = read_header(path)
        _check_generative(header, path)
        if not vocabulary_only and not (gpu_layers and lib.llama_supports_gpu_offload()):
            check_memory(path, path.stat().st_size)
        see_that_it_loads(path)
        forget_errors()
        params = lib.llama_model_default_params()
        params.use_extra_bufts, params.n_gpu_layers = repack, gpu_layers
        params.vocab_only = vocabulary_only
        handle = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not handle:
            raise _load_error(path)
        self.handle: Handle | None = handle
        self.vocab = lib.llama_model_get_vocab(handle)
        self.metadata = _metadata(handle)
        self._form = form_of(self.metadata)
        self.context_length = int(lib.llama_model_n_ctx_train(handle))
        self.kv_bytes = _kv_bytes(header)
        self.vocabulary_size = int(lib.llama_vocab_n_tokens(self.vocab))
        self._bos = _bos(self.vocab)
        self.eos = int(lib.llama_vocab_eos(self.vocab))
        self._pieces: dict[int, bytes | None] = {}
        self._stops: set[str] = set()
        self._ends: set[int] = set()
        for name, token in (("bos", lib.llama_vocab_bos(self.vocab)), ("eos", self.eos)):
            if token >= 0:
                self.metadata[f"tokenizer.{name}_token"] = self._bytes(token, True).decode(
                    "utf-8", errors="replace"
                )
        if (
            lib.llama_model_has_encoder(handle)
            or not lib.llama_model_has_decoder(handle)
            or lib.llama_model_is_recurrent(handle)
            or lib.llama_model_is_hybrid(handle)
            or lib.llama_model_is_diffusion(handle)
        ):
            self.close()
            raise _unfit(path, "is not a plain decoder")

    def tokenize(self, text: str, special: bool = False) -> Tokens:
        """Tokens of `text`, without BOS. Special tokens' names in it are plain, or `special`."""
        data = normalize(text, self._form).encode("utf-8", errors="replace")
        tokens = np.empty(len(data) + 8, np.int32)
        buffer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        count = lib.llama_tokenize(self.vocab, data, len(data), buffer, len(tokens), False, special)
        if count < 0:
            raise ModelError("The model's tokenizer failed.", "Convert the model again.")
        return tokens[:count]

    def prompt(self, text: str) -> Tokens:
        """Tokens of a prompt, BOS first where the model's metadata asks for one."""
        if not isinstance(text, Framed):
            return np.concatenate([self._bos, self.tokenize(text)])
        head = self.tokenize(text.head, special=True)
        parts = [head, self.tokenize(text.text), self.tokenize(text.tail, special=True)]
        # Some templates write BOS themselves.
        return np.concatenate([self._bos[: 0 if np.isin(head[:1], self._bos).any() else 1], *parts])

    def piece(self, token: int) -> bytes | None:
        """Bytes of a token (part of a character, perhaps); None where it ends the text."""
        if token not in self._pieces:
            self._pieces[token] = self._piece(token)
        return self._pieces[token]

    def end_at(self, stops: Iterable[str]) -> None:
        """Let texts end at those of the stops that are special tokens: these have no text.

        A file need not say of its chat template's end of a turn that it ends texts.
        """
        for stop in set(stops) - self._stops:
            self._stops.add(stop)
            tokens = self.tokenize(stop, special=True).tolist()
            if len(tokens) == 1 and self.piece(tokens[0]) == b"":
                self._ends.add(tokens[0])
                self._pieces.clear()
                self.__dict__.pop("vocabulary", None)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """All pieces, for masks over the logits."""
        return Vocabulary([self.piece(token) for token in range(self.vocabulary_size)])

    def _piece(self, token: int) -> bytes | None:
        if token in self._ends or lib.llama_vocab_is_eog(self.vocab, token):
            return None
        return self._bytes(token, special=False)

    def _bytes(self, token: int, special: bool) -> bytes:
        """Bytes of a token's text, of a special one its name or nothing."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = lib.llama_token_to_piece(self.vocab, token, buffer, size, 0, special)
            if length >= 0:
                return buffer.raw[:length]
            size = -length

    def close(self) -> None:
        """Free the weights."""
        if self.handle is not None:
            lib.llama_model_free(self.handle)
            self.handle = None


def _check_generative(header: GgufHeader, path: Path) -> None:
    kind = header.metadata.get("general.type", "model")
    if kind != "model":
        raise ModelError(
            f"{path} holds a GGUF {kind}, not a model.",
            "Give the model's own file; merge an adapter with `bonito-local convert`.",
        )
    arch = header.metadata.get("general.architecture")
    own = {
        key.removeprefix(f"{arch}."): value
        for key, value in header.metadata.items()
        if key.startswith(f"{arch}.")
    }
    if not header.tensors:
        raise _unfit(path, "holds a vocabulary but no weights")
    if own.get("attention.causal") is False:
        raise _unfit(path, f"is an encoder ({arch})")
    if own.get("pooling_type", 0) != 0:
        raise _unfit(path, f"is an embedding model ({arch})")
    # llama.cpp aborts the process on these.
    layers, epsilon = own.get("block_count", 0), own.get(_EPSILON, 0.0)
    if not (isinstance(layers, int) and 1 <= layers <= _MOST_LAYERS):
        raise _invalid(path, f"it has {layers!r} layers")
    if not (isinstance(epsilon, float) and 0 <= epsilon < 1):
        raise _invalid(path, f"its normalization epsilon is {epsilon!r}")


def _invalid(path: Path, why: str) -> ModelError:
    return ModelError(f"{path} is not a valid model: {why}.", "Convert or download it again.")


def _unfit(path: Path, why: str) -> ModelError:
    return ModelError(f"{path} cannot generate text: it {why}.", _WANTED)


def _load_error(path: Path) -> ModelError:
    said = first_error()
    if "alloc" in said or "out of memory" in said:
        return ModelError(
            f"{path} does not fit in memory ({said}).",
            "Use a smaller model or quantization, or close other programs.",
        )
    return ModelError(
        f"llama.cpp cannot load {path}: {said}.",
        "Convert the model again, or update llama-cpp-python if the model is new.",
    )


def _metadata(handle: Handle) -> dict[str, str]:
    return {
        _text(lib.llama_model_meta_key_by_index, handle, i): _text(
            lib.llama_model_meta_val_str_by_index, handle, i
        )
        for i in range(lib.llama_model_meta_count(handle))
    }


def _text(call: Callable[..., int], handle: Handle, index: int) -> str:
    size = 256
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = call(handle, index, buffer, size)
        if length < size:
            return buffer.value.decode("utf-8", errors="replace")
        size = length + 1


def _kv_bytes(header: GgufHeader) -> int:
    """Bytes of K and V per token: the rows of every K and V projection, two bytes each."""
    rows = [
        shape[-1]
        for name, shape in header.tensors.items()
        if name.endswith((".attn_k.weight", ".attn_v.weight"))
    ]
    # Architectures with a fused projection: as if each of their layers had no grouped heads.
    arch = header.metadata.get("general.architecture")
    width = int(header.metadata.get(f"{arch}.embedding_length", 0))
    layers = int(header.metadata.get(f"{arch}.block_count", 0))
    return 2 * (sum(rows) or 2 * width * layers)


def _bos(vocab: Handle) -> Tokens:
    token = lib.llama_vocab_bos(vocab)
    wanted = lib.llama_vocab_get_add_bos(vocab) and token >= 0
    return np.array([token] if wanted else [], np.int32)
