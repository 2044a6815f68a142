"""A GGUF back into a Hugging Face checkpoint folder, which can be trained and converted again."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from gguf import GGMLQuantizationType, dequantize

from bonito_local.convert import ggml
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.ggml import F32Array, U8Array
from bonito_local.convert.gguf_source import GgufSource, StoredTensor, open_gguf
from bonito_local.convert.restored_config import FREQUENCIES, restore_config
from bonito_local.convert.stream import BLOCK_ELEMENTS, Progress
from bonito_local.convert.tokenizer_files import restore_tokenizer
from bonito_local.convert.writer import check_target, partial_path
from bonito_local.errors import ConvertError

Dtype = Literal["auto", "bfloat16", "float16"]
F16, BF16, F32 = (GGMLQuantizationType[name] for name in ("F16", "BF16", "F32"))
_KINDS = {"bfloat16": BF16, "float16": F16}
_NAMES = {kind: name for name, kind in _KINDS.items()} | {F32: "float32"}
_LARGEST_HALF = 65504.0


@dataclass(frozen=True, slots=True)
class RestoredTensor:
    """A tensor of the checkpoint: its name there, its source, and the type it is written in.

    `heads` > 0 asks to undo the rotary interleaving of the rows.
    """

    name: str
    source: StoredTensor
    kind: GGMLQuantizationType
    heads: int

    @property
    def nbytes(self) -> int:
        """Bytes in the checkpoint."""
        return self.source.rows * ggml.row_bytes(self.kind, self.source.shape[-1])


def to_checkpoint(
    gguf: Path,
    out: Path,
    *,
    dtype: Dtype = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Write the model in `gguf` as a checkpoint folder `out`.

    With `dtype` "auto", F16 and BF16 weights keep their type, and quantized and F32 matrices
    become bfloat16, in which current models are trained; otherwise every matrix gets that type.
    Vectors (norms, biases) that the type would round stay float32.

    Raises:
        ModelError: the file is missing, cut off or not GGUF.
        ConvertError: its architecture or tokenizer is not supported, its parts do not fit
            together, or `out` exists or cannot be written. Nothing is left at `out`.
    """
    source = open_gguf(gguf)
    config = restore_config(source)
    tensors, main = _plan(source, Architecture.from_config(config), dtype)
    config["dtype"] = _NAMES[main]
    files = restore_tokenizer(source)
    contents: dict[str, dict[str, Any]] = {
        "config.json": config,
        "generation_config.json": {k: v for k, v in config.items() if k.endswith("_token_id")},
        "tokenizer.json": files.tokenizer,
        "tokenizer_config.json": files.settings,
    }
    check_target(out, sum(tensor.nbytes for tensor in tensors), "Free some space.")
    partial = partial_path(out)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name, value in contents.items():
            text = json.dumps(value, indent=2, ensure_ascii=False)
            (partial / name).write_text(text + "\n", "utf-8")
        with (partial / "model.safetensors").open("xb") as file:
            _write_weights(source, tensors, file, progress or (lambda _: None))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ConvertError(f"{out} cannot be written: {error.strerror}.") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _plan(
    source: GgufSource, architecture: Architecture, dtype: Dtype
) -> tuple[list[RestoredTensor], GGMLQuantizationType]:
    """Return the checkpoint's tensors, matched with the file's, and the type of most matrices."""
    matched = _match(source, architecture)
    kinds = {name: _kind(tensor, dtype) for name, tensor in matched.items() if tensor.shape[1:]}
    (main, _), *_ = Counter(kinds.values()).most_common(1)
    tensors = [
        RestoredTensor(
            name,
            tensor,
            kinds[name] if name in kinds else _vector_kind(source, tensor, main),
            architecture.rotary_heads(name),
        )
        for name, tensor in matched.items()
    ]
    return tensors, main


def _match(source: GgufSource, architecture: Architecture) -> dict[str, StoredTensor]:
    """Return the file's tensors by the names that they have in a checkpoint."""
    left = {name: tensor for name, tensor in source.tensors.items() if name != FREQUENCIES}
    matched = {}
    for name, shape in architecture.shapes().items():
        gguf_name = architecture.gguf_name(name)
        tensor = left.pop(gguf_name, None)
        if tensor is None:
            raise ConvertError(f"{source.path} has no tensor {gguf_name}.", "Download it again.")
        if tensor.shape != shape:
            raise ConvertError(
                f"Tensor {gguf_name} in {source.path} has shape {list(tensor.shape)}; its keys ask "
                f"for {list(shape)}."
            )
        matched[name] = tensor
    if left:
        raise ConvertError(
            f"{source.path} has a tensor that {architecture.hf_name} does not know: "
            f"{next(iter(left))}" + (f" and {len(left) - 1} more." if len(left) > 1 else "."),
            "This architecture or variant is not supported.",
        )
    return matched


def _kind(tensor: StoredTensor, dtype: Dtype) -> GGMLQuantizationType:
    if dtype != "auto":
        return _KINDS[dtype]
    return tensor.kind if tensor.kind in (F16, BF16) else BF16


def _vector_kind(
    source: GgufSource, tensor: StoredTensor, main: GGMLQuantizationType
) -> GGMLQuantizationType:
    """The matrices' type where it holds the vector exactly, else float32."""
    (block,) = source.blocks(tensor, 1)
    values = _floats(block, tensor)
    rounded = np.empty(ggml.row_bytes(main, values.size), np.uint8)
    with np.errstate(over="ignore"):
        ggml.quantize(main, values, rounded)
    same = np.array_equal(dequantize(rounded[None], main).view(np.float32).reshape(-1), values[0])
    return main if same else F32


def _write_weights(
    source: GgufSource,
    tensors: Sequence[RestoredTensor],
    file: BinaryIO,
    progress: Callable[[Progress], None],
) -> None:
    """Write a safetensors file: the header, then each tensor a block of rows at a time."""
    total = sum(tensor.nbytes for tensor in tensors)
    file.write(_header(tensors))
    written = 0
    for count, tensor in enumerate(tensors, 1):
        # A vector is one row: a bias is put back in order whole.
        unit = max(tensor.source.rows // tensor.heads, 1) if tensor.heads else 1
        step = max(BLOCK_ELEMENTS // (tensor.source.shape[-1] * unit), 1) * unit
        for block in source.blocks(tensor.source, step):
            ordered = _halves(block, tensor) if tensor.heads else block
            file.write(_converted(ordered, tensor).data)
        written += tensor.nbytes
        progress(Progress(tensor.name, count, len(tensors), written, total))


def _header(tensors: Sequence[RestoredTensor]) -> bytes:
    entries: dict[str, Mapping[str, Any]] = {"__metadata__": {"format": "pt"}}
    place = 0
    for tensor in tensors:
        span = [place, place + tensor.nbytes]
        entries[tensor.name] = {
            "dtype": tensor.kind.name,
            "shape": tensor.source.shape,
            "data_offsets": span,
        }
        place = span[1]
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors' data is aligned
    return len(text).to_bytes(8, "little") + text


def _halves(block: U8Array, tensor: RestoredTensor) -> U8Array:
    """GGUF's llama keeps a head's rotary rows in pairs; Hugging Face has two halves in turn."""
    head = tensor.source.shape[0] // tensor.heads
    width = tensor.source.row_bytes // (1 if len(tensor.source.shape) > 1 else head * tensor.heads)
    pairs = block.reshape(-1, head // 2, 2, width)
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(block.shape)


def _floats(block: U8Array, tensor: StoredTensor) -> F32Array:
    try:
        values = dequantize(block, tensor.kind)
    except NotImplementedError as error:
        raise ConvertError(
            f"Tensor {tensor.name} has type {tensor.kind.name}, which cannot be dequantized."
        ) from error
    return np.ascontiguousarray(values, np.float32)


def _converted(block: U8Array, tensor: RestoredTensor) -> U8Array:
    if tensor.kind == tensor.source.kind:
        return block
    values = _floats(block, tensor.source)
    largest = float(np.abs(values).max())
    if not largest <= (_LARGEST_HALF if tensor.kind == F16 else np.inf):
        raise ConvertError(
            f"Tensor {tensor.source.name} has weights that {_NAMES[tensor.kind]} cannot hold.",
            "Use --dtype bfloat16; if it is NaN that it has, the file is damaged.",
        )
    out = np.empty((len(values), ggml.row_bytes(tensor.kind, values.shape[1])), np.uint8)
    ggml.quantize(tensor.kind, values, out)
    return out
