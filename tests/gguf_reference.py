"""What the tests compare with: llama.cpp's own quantizer, logits and tokens."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import llama_cpp
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFReader, LlamaFileType

# llama-cpp-python's own callback fails on half a character, which llama.cpp prints now and then.
_SILENT = llama_cpp.llama_log_callback(lambda level, text, data: None)
llama_cpp.llama_log_set(_SILENT, ctypes.c_void_p())


def tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    """Return (type, bytes) of every tensor of a GGUF."""
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in GGUFReader(path).tensors}


def quantize(
    source: Path,
    out: Path,
    file_type: LlamaFileType,
    importance: Mapping[str, npt.NDArray[np.float32]] | None = None,
    token_embedding: GGMLQuantizationType | None = None,
) -> dict[str, tuple[str, bytes]]:
    """Run what `llama-quantize` runs."""
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = int(file_type)
    params.nthread = 1
    if token_embedding is not None:
        params.token_embedding_type = int(token_embedding)
    if importance is not None:
        floats = ctypes.POINTER(ctypes.c_float)
        entries = [
            llama_cpp.llama_model_imatrix_data(n.encode(), v.ctypes.data_as(floats), v.size)
            for n, v in importance.items()
        ]
        # An entry without a name ends the list.
        params.imatrix = (llama_cpp.llama_model_imatrix_data * (len(entries) + 1))(*entries)
    status = llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(), params)
    assert status == 0
    return tensors(out)


def plain_llama(path: Path, **options: Any) -> Any:
    """Load a model with its weights as they are: some builds crash on rearranged ones."""
    params = llama_cpp.llama_model_default_params()
    params.use_extra_bufts = False
    with mock.patch.object(llama_cpp.llama_cpp, "llama_model_default_params", return_value=params):
        return llama_cpp.Llama(str(path), verbose=False, **options)


def logits(path: Path, tokens: list[int]) -> npt.NDArray[np.float32]:
    """Return llama.cpp's logits after each token ([tokens, vocabulary]), float32 cache."""
    f32 = llama_cpp.GGML_TYPE_F32
    with closing(plain_llama(path, logits_all=True, n_ctx=256, type_k=f32, type_v=f32)) as model:
        model.eval(tokens)
        return np.array(model.scores[: len(tokens)])


def tokenize(path: Path, texts: list[str]) -> list[list[int]]:
    """Return llama.cpp's tokens of each text, with BOS where the file asks for it.

    Markers of special tokens in the text count as special, as in transformers.
    """
    with closing(llama_cpp.Llama(str(path), vocab_only=True, verbose=False)) as model:
        return [model.tokenize(text.encode(), special=True) for text in texts]
