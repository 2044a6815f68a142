"""The output file: checks beforehand, header by gguf-py, places of the tensors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf import GGML_QUANT_VERSION, GGUF_DEFAULT_ALIGNMENT, GGUFWriter
from gguf.gguf_writer import WriterState

from bonito_local.convert.plan import Plan
from bonito_local.errors import ConvertError


def partial_path(out: Path) -> Path:
    """Return the name that the file has until it is whole; hidden, and never `*.gguf`."""
    return out.with_name(f".{out.name}.partial")


def check_target(
    out: Path, needed: int, remedy: str = "Free some space, or choose a smaller quantization."
) -> None:
    """Check that `out` can be written.

    Raises:
        ConvertError: it exists, its folder does not or is read-only, or the disk is too full.
    """
    if out.exists():
        raise ConvertError(f"{out} already exists.", "Remove it, or choose another name.")
    if not out.parent.is_dir():
        raise ConvertError(f"The folder {out.parent} does not exist.", "Create it first.")
    if not os.access(out.parent, os.W_OK):
        raise ConvertError(f"The folder {out.parent} cannot be written to.")
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise ConvertError(
            f"{out.parent} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are needed.",
            remedy,
        )


def write_header(plan: Plan, file: BinaryIO, metadata: Mapping[str, str | int]) -> list[int]:
    """Write all that precedes the tensors' data, and return each tensor's place in the file."""
    writer = _Header(file, plan.architecture.gguf_arch)
    _describe(plan, writer)
    plan.architecture.write(writer)
    plan.vocabulary.write(writer)
    writer.add_file_type(plan.mix.file_type)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    for key, value in metadata.items():
        writer.kv_data[0].pop(key, None)  # gguf-py warns of a second value
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
    for tensor in plan.tensors:
        dtype = np.dtype(np.float32)  # gguf-py takes the type from raw_dtype
        writer.add_tensor_info(tensor.name, tensor.shape, dtype, tensor.nbytes, tensor.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    place = _align(file.tell())
    offsets = []
    for tensor in plan.tensors:
        offsets.append(place)
        place += _align(tensor.nbytes)
    file.truncate(place)
    return offsets


class _Header(GGUFWriter):
    """gguf-py's writer, on a file that is already open."""

    def __init__(self, file: BinaryIO, arch: str) -> None:
        super().__init__(None, arch)
        self._file = file

    def open_output_file(self, path: Path | None = None) -> None:
        self.fout = [self._file]  # type: ignore[list-item]
        self.state = WriterState.EMPTY


def _align(size: int) -> int:
    return -(-size // GGUF_DEFAULT_ALIGNMENT) * GGUF_DEFAULT_ALIGNMENT


def _describe(plan: Plan, writer: GGUFWriter) -> None:
    writer.add_type("model")
    config = plan.checkpoint.config
    base = plan.checkpoint.path.resolve().name
    name = plan.adapters[-1].path.resolve().name if plan.adapters else base
    writer.add_name(name)
    licence = config.get("license")
    if isinstance(licence, str):
        writer.add_license(licence)
    writer.add_string("bonito.convert.base", base)
    writer.add_string(
        "bonito.convert.adapters", ", ".join(a.path.resolve().name for a in plan.adapters)
    )
    writer.add_string("bonito.convert.merge_into", plan.merge_into if plan.adapters else "")
