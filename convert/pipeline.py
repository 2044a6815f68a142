"""Checkpoint and adapters in, one GGUF and its manifest out, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from bonito_local.convert import ggml
from bonito_local.convert.manifest import (
    Manifest,
    SourceHasher,
    build_manifest,
    file_record,
    source_files,
)
from bonito_local.convert.plan import MergeInto, Plan, make_plan
from bonito_local.convert.stream import Progress, stream
from bonito_local.convert.writer import check_target, partial_path, write_header
from bonito_local.errors import ConvertError


def convert(
    source: Path,
    out: Path,
    *,
    adapters: Sequence[Path] = (),
    quant: str = "Q4_K_M",
    imatrix: Path | None = None,
    merge_into: MergeInto = "bf16",
    token_embedding_type: str | None = None,
    metadata: Mapping[str, str | int] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Turn a checkpoint folder into a quantized GGUF, and write its manifest beside it.

    `adapters` (PEFT LoRA folders) are merged in order. `metadata` is added to the GGUF's keys.

    Raises:
        UsageError: an unknown quantization.
        ConvertError: the sources do not fit together or are broken, or `out` cannot be
            written. Nothing is left at `out`.
    """
    plan = make_plan(
        source,
        adapters=adapters,
        quant=quant,
        imatrix=imatrix,
        merge_into=merge_into,
        token_embedding_type=token_embedding_type,
    )
    return execute(plan, out, metadata=metadata, progress=progress)


def execute(
    plan: Plan,
    out: Path,
    *,
    metadata: Mapping[str, str | int] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Carry out a plan; see `convert`."""
    start = perf_counter()
    check_target(out, plan.nbytes)
    ggml.prepare({tensor.kind for tensor in plan.tensors})
    partial = partial_path(out)
    try:
        partial.unlink(missing_ok=True)
        with SourceHasher(source_files(plan)) as hasher:
            with partial.open("xb") as file:
                offsets = write_header(plan, file, metadata or {})
                stream(plan.tensors, offsets, file, progress or (lambda _: None))
                file.flush()
                os.fsync(file.fileno())
                mine = os.fstat(file.fileno())
            hashes = hasher.records()
        output = file_record(partial, out.name)
        if not os.path.samestat(mine, partial.stat()):
            raise ConvertError(f"Another conversion is writing {out}.", "Choose another name.")
        partial.replace(out)
        manifest = build_manifest(plan, output, hashes, perf_counter() - start)
        manifest.write(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ConvertError(f"{out} cannot be written: {error.strerror}.") from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return manifest
