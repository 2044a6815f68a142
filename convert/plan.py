"""The plan of a conversion: every tensor's source, changes, type and size, before any is read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gguf import GGMLQuantizationType

from bonito_local.convert.adapter import Adapter, LowRank, open_adapter
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.checkpoint import Checkpoint, open_checkpoint
from bonito_local.convert.ggml import F32Array, row_bytes
from bonito_local.convert.imatrix import read_imatrix
from bonito_local.convert.mixes import Mix, ModelShape, find_mix, needs_imatrix, tensor_type
from bonito_local.convert.safetensors import TensorRef
from bonito_local.convert.vocab import Vocabulary, read_vocabulary
from bonito_local.errors import ConvertError, UsageError

MergeInto = Literal["bf16", "nf4"]
EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor of the output. `shape` is (rows, columns) or (columns,).

    `source` is None for a tensor that is computed (`values`). `heads` > 0 asks for rotary
    interleaving of the rows, `nf4` for the rounding that a Q-LoRA base has.
    """

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    source: TensorRef | None
    values: F32Array | None = None
    updates: tuple[LowRank, ...] = ()
    heads: int = 0
    nf4: bool = False
    importance: F32Array | None = None

    @property
    def rows(self) -> int:
        """Rows; a vector is one row."""
        return self.shape[0] if len(self.shape) > 1 else 1

    @property
    def columns(self) -> int:
        """Elements in a row."""
        return self.shape[-1]

    @property
    def nbytes(self) -> int:
        """Bytes in the output, without padding."""
        return self.rows * row_bytes(self.kind, self.columns)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a conversion will do; `tokenizer` is the folder that the vocabulary is of."""

    checkpoint: Checkpoint
    adapters: tuple[Adapter, ...]
    architecture: Architecture
    tokenizer: Path
    vocabulary: Vocabulary
    mix: Mix
    merge_into: MergeInto
    imatrix: Path | None
    tensors: tuple[PlannedTensor, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors in the output."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


def make_plan(
    source: Path | Checkpoint,
    *,
    adapters: Sequence[Path] = (),
    quant: str = "Q4_K_M",
    imatrix: Path | None = None,
    merge_into: MergeInto = "bf16",
    token_embedding_type: str | None = None,
) -> Plan:
    """Read every header and config, and check that all of it fits together.

    `token_embedding_type` replaces the type that the mix gives the token embedding, which is also
    the output head where they are tied.

    Raises:
        UsageError: the quantization, `merge_into` or `token_embedding_type` is unknown.
        ConvertError: anything about the checkpoint, the adapters or the imatrix.
    """
    mix = find_mix(quant)
    if token_embedding_type is not None:
        mix = replace(mix, token_embedding=find_mix(token_embedding_type).base)
    if merge_into not in ("bf16", "nf4"):
        raise UsageError(f"Unknown merge base {merge_into!r}.", "Known: bf16, nf4.")
    checkpoint = source if isinstance(source, Checkpoint) else open_checkpoint(source)
    architecture = Architecture.from_config(checkpoint.config)
    opened = tuple(open_adapter(path) for path in adapters)
    architecture, sources = _sources(checkpoint, architecture, opened)
    tokenizer, vocabulary = _tokenizer(checkpoint, opened, architecture.vocab)
    importance = read_imatrix(imatrix) if imatrix else {}
    shape = ModelShape(
        layers=architecture.layers,
        heads=architecture.heads,
        kv_heads=architecture.kv_heads,
        tied=architecture.tied,
        has_imatrix=imatrix is not None,
    )
    tensors = [
        _planned(architecture, mix, shape, importance, merge_into == "nf4", name, ref, updates)
        for name, (ref, updates) in sources.items()
    ]
    factors = architecture.rope_factors()
    if factors is not None:
        kind = GGMLQuantizationType.F32
        tensors.insert(1, PlannedTensor("rope_freqs.weight", factors.shape, kind, None, factors))
    if imatrix and not any(tensor.importance is not None for tensor in tensors):
        raise ConvertError(f"{imatrix} names no tensor of this model.", "It is for another model.")
    return Plan(
        *(checkpoint, opened, architecture, tokenizer, vocabulary),
        *(mix, merge_into, imatrix, tuple(tensors)),
    )


def _tokenizer(
    checkpoint: Checkpoint, adapters: tuple[Adapter, ...], size: int
) -> tuple[Path, Vocabulary]:
    """The folder of the tokenizer, and what it holds: the last adapter's that has other tokens.

    Where the embedding was not resized, one with more tokens than it has rows is passed over:
    training added them, and no weight knows them.
    """
    resized = size != checkpoint.config.get("vocab_size")
    folders = [a.path for a in reversed(adapters) if (a.path / "tokenizer.json").exists()]
    if resized and folders:
        return folders[0], read_vocabulary(folders[0], checkpoint.config, size)
    base = read_vocabulary(checkpoint.path, checkpoint.config, size)
    for folder in folders:
        try:
            other = read_vocabulary(folder, checkpoint.config, size)
        except ConvertError:
            continue
        if (other.tokens, other.types) != (base.tokens, base.types):
            return folder, other
    return checkpoint.path, base


Sources = dict[str, tuple[TensorRef, tuple[LowRank, ...]]]


def _sources(
    checkpoint: Checkpoint, architecture: Architecture, adapters: tuple[Adapter, ...]
) -> tuple[Architecture, Sources]:
    """Match the checkpoint's tensors and the adapters' with what the model must have."""
    architecture, base = _with_ends(checkpoint, architecture, adapters)
    wanted = architecture.shapes()
    sources: Sources = {}
    for name, shape in wanted.items():
        ref = base.pop(name, None)
        updates: list[LowRank] = []
        for adapter in adapters:
            if name in adapter.replaced:
                ref, updates = adapter.replaced[name], []
            if name in adapter.updates:
                updates.append(_fitting(adapter, name, shape))
        if ref is None:
            raise ConvertError(
                f"{checkpoint.path} has no tensor {name!r}.", "A shard or a layer is missing."
            )
        if ref.shape != shape:
            raise ConvertError(
                f"Tensor {name!r} in {ref.path} has shape {list(ref.shape)}; "
                f"the config asks for {list(shape)}."
            )
        sources[name] = ref, tuple(updates)
    left = [name for name in base if not name.endswith("rotary_emb.inv_freq")]
    if left:
        raise ConvertError(
            f"{checkpoint.path} has a tensor that {architecture.hf_name} does not know: "
            f"{left[0]!r}" + (f" and {len(left) - 1} more." if left[1:] else "."),
            "The checkpoint or its config.json belongs to another model.",
        )
    for adapter in adapters:
        _check_matched(adapter, wanted)
    return architecture, sources


def _with_ends(
    checkpoint: Checkpoint, architecture: Architecture, adapters: tuple[Adapter, ...]
) -> tuple[Architecture, dict[str, TensorRef]]:
    """Settle the embedding and the head: shared or apart, and their number of tokens."""
    base = dict(checkpoint.tensors)
    if architecture.tied:
        base.pop(HEAD, None)
        touched = {EMBEDDING, HEAD} & {n for a in adapters for n in (*a.updates, *a.replaced)}
        # An adapter trains the two ends apart, even where the base shares them.
        if touched and EMBEDDING in base and not all(a.keeps_tied for a in adapters):
            architecture = replace(architecture, tied=False)
            base[HEAD] = base[EMBEDDING]
    for adapter in adapters:
        if EMBEDDING in adapter.replaced:
            architecture = replace(architecture, vocab=adapter.replaced[EMBEDDING].shape[0])
    return architecture, base


def _fitting(adapter: Adapter, name: str, shape: tuple[int, ...]) -> LowRank:
    update = adapter.updates[name]
    if update.shape != shape:
        raise ConvertError(
            f"{adapter.path} changes {name!r} as {list(update.shape)}, but the base has "
            f"{list(shape)}.",
            "It was trained on another base" + (f": {adapter.base}." if adapter.base else "."),
        )
    return update


def _check_matched(adapter: Adapter, wanted: Mapping[str, Any]) -> None:
    unmatched = [name for name in (*adapter.updates, *adapter.replaced) if name not in wanted]
    if unmatched:
        raise ConvertError(
            f"{adapter.path} changes {unmatched[0]!r}, which the base does not have.",
            "It was trained on another base" + (f": {adapter.base}." if adapter.base else "."),
        )


def _planned(
    architecture: Architecture,
    mix: Mix,
    model: ModelShape,
    importance: Mapping[str, F32Array],
    nf4: bool,
    name: str,
    ref: TensorRef,
    updates: tuple[LowRank, ...],
) -> PlannedTensor:
    gguf_name = architecture.gguf_name(name)
    kind = tensor_type(gguf_name, ref.shape, mix, model)
    weights = importance.get(gguf_name)
    if weights is not None and weights.shape != ref.shape[-1:]:
        raise ConvertError(
            f"The imatrix has {weights.size} columns for {gguf_name}; the model has "
            f"{ref.shape[-1]}.",
            "It is for another model.",
        )
    if weights is None and needs_imatrix(gguf_name, kind, mix):
        raise ConvertError(
            f"{mix.name} needs an importance matrix for {gguf_name}.", "Give one with --imatrix."
        )
    return PlannedTensor(
        name=gguf_name,
        shape=ref.shape,
        kind=kind,
        source=ref,
        updates=updates,
        heads=architecture.rotary_heads(name),
        # Q-LoRA quantizes every linear layer but the head.
        nf4=nf4 and len(ref.shape) == 2 and gguf_name.startswith("blk."),
        importance=weights,
    )
