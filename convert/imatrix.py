"""Importance matrices: llama.cpp's GGUF form. Mean squared activations by column."""

from __future__ import annotations

from pathlib import Path

from bonito_local.convert.ggml import F32Array
from bonito_local.errors import ConvertError


def read_imatrix(path: Path) -> dict[str, F32Array]:
    """Return the mean squared activation of each column by GGUF tensor name."""
    raise ConvertError(f"{path}: imatrix files are not supported yet.")
