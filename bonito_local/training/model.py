"""The frozen base with an adapter on it: loaded, checked to belong together, saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.utils import logging

from bonito_local.convert.adapter import open_adapter
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.checkpoint import open_checkpoint
from bonito_local.errors import TrainingError
from bonito_local.training import attention
from bonito_local.training.config import TrainConfig, adapter_scale
from bonito_local.training.plan import Held

RECORD = "training.json"  # beside an adapter: what it was made of


def check_base(folder: Path) -> Architecture:
    """Read what the base is.

    Raises:
        ConvertError: it is no complete checkpoint, or none that `convert` could make a GGUF of.
    """
    return Architecture.from_config(open_checkpoint(folder).config)


def check_adapter(config: TrainConfig, adapter: Path, base_sha256: str) -> None:
    """Raise TrainingError where a run cannot go on from an adapter.

    It was made on another base: an adapter of ours says the hash of its base; of others, the
    matrices' shapes are compared. It changes what is not trained here: embedding, head, or
    whole modules. Or the config says another rank or alpha.
    """
    base = config.base
    said = read_record(adapter).get("base_sha256", base_sha256)
    tensors = open_checkpoint(base).tensors
    opened = open_adapter(adapter)
    updates = opened.updates
    others = [*opened.replaced, *(n for n in updates if not n.startswith("model.layers."))]
    if others:
        raise TrainingError(
            f"The adapter {adapter} changes {others[0]!r}, which is not trained here.",
            "Merge it into its base with PEFT, and train on what comes of it.",
        )
    for key, value in adapter_scale(adapter).items():
        if getattr(config, key) != value:
            raise TrainingError(
                f"The adapter {adapter} has {key} {value}, not {getattr(config, key)}.",
                f"Say {key} = {value}.",
            )
    shapes = {name: tensors[name].shape if name in tensors else None for name in updates}
    if said != base_sha256 or any(u.shape != shapes[name] for name, u in updates.items()):
        raise TrainingError(
            f"The adapter {adapter} belongs to another base than {base}.",
            "Name the base that it was trained on, or leave `adapter` out.",
        )


def read_record(folder: Path) -> dict[str, Any]:
    """What training.json says; nothing where there is none that is whole."""
    try:
        found = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def load(
    config: TrainConfig,
    device: str,
    weights: Held,
    checkpointing: bool,
    *,
    sharded: bool = False,
    dtype: torch.dtype = torch.bfloat16,
) -> Any:
    """Return the base, frozen, with an adapter on all its linear layers but the head.

    Both compute in `dtype`, which holds all weights but those packed in NF4. `sharded` leaves
    this process its part of each layer of the base, decoded.

    Raises:
        TrainingError: the base or the adapter cannot be loaded.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    base = load_base(config.base, device, nf4=weights != "base", dtype=dtype)
    if sharded:
        spread(base, dtype)
    elif weights == "bf16":
        hold_decoded(base, dtype)
    if checkpointing:
        enable = getattr(base, "activation_checkpointing_enable", None)
        (enable or base.gradient_checkpointing_enable)({"use_reentrant": False})
    torch.manual_seed(config.seed)
    # No adapter in float32 on a base in bf16: PEFT would cast every activation. The trainer
    # keeps float32 masters.
    if config.adapter is not None:
        model = PeftModel.from_pretrained(
            base, config.adapter, is_trainable=True, autocast_adapter_dtype=False
        )
    else:
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        model = get_peft_model(base, lora, autocast_adapter_dtype=False)
    for _, parameter in trained(model):
        parameter.data = parameter.data.to(dtype)
    return model.train()


def load_base(
    folder: Path, device: str, *, nf4: bool = True, dtype: torch.dtype = torch.bfloat16
) -> Any:
    """Return the base, frozen: in NF4 with double quantization, as the paper trains on it.

    Without `nf4`, its own weights. Either way they are rounded to bf16 first, so that `dtype`,
    which it computes in, changes no weight.

    Raises:
        TrainingError: it cannot be loaded.
    """
    packed = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    try:
        base = AutoModelForCausalLM.from_pretrained(
            folder,
            quantization_config=packed if nf4 else None,
            dtype=torch.bfloat16,
            device_map={"": device},
            attn_implementation=attention.NAME,
            local_files_only=True,
            use_safetensors=True,
        )
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainingError(
            f"transformers cannot load {folder}: {said[0][:200]}.", "Download or save it again."
        ) from error
    base.requires_grad_(False)
    if dtype != torch.bfloat16:
        _cast(base, dtype)
    return base.train()  # in evaluation, bitsandbytes packs weights otherwise on a CPU


def _cast(base: torch.nn.Module, dtype: torch.dtype) -> None:
    """Cast all weights that are not packed; transformers refuses to cast a packed model."""
    for module in base.modules():
        packed = module.weight if isinstance(module, Linear4bit) else None
        for parameter in module.parameters(recurse=False):
            if parameter is not packed:
                parameter.data = parameter.data.to(dtype)


def hold_decoded(base: torch.nn.Module, dtype: torch.dtype = torch.bfloat16) -> None:
    """Decode the NF4 weights once, in place: the same values, rounded to bf16, in `dtype`."""
    for module in list(base.modules()):
        for name, child in module.named_children():
            if isinstance(child, Linear4bit):
                setattr(module, name, _decoded(child, dtype))


def _decoded(layer: Any, dtype: torch.dtype) -> torch.nn.Linear:
    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(torch.bfloat16)
    weight = weight.to(dtype)
    rows, columns = weight.shape
    linear = torch.nn.Linear(columns, rows, bias=False, device="meta")
    linear.weight = torch.nn.Parameter(weight, requires_grad=False)
    linear.bias = layer.bias
    return linear


def spread(base: Any, dtype: torch.dtype = torch.bfloat16) -> None:
    """Decode packed weights layer by layer, and leave each process its part of every layer.

    An adapter that is put on afterwards is whole on each.
    """
    from torch.distributed.fsdp import fully_shard

    for layer in base.model.layers:
        hold_decoded(layer, dtype)
        # Each is a root of its own, which by itself would stay gathered after its pass.
        fully_shard(layer, reshard_after_forward=True)


def trained(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """The adapter's parameters by name."""
    return ((name, p) for name, p in model.named_parameters() if p.requires_grad)


def save_adapter(model: Any, out: Path) -> None:
    """Write the adapter alone; each file takes its name when it is whole.

    On a CPU, bitsandbytes rounds the base's packed weights when their state is read, so
    PEFT is handed the adapter's tensors and never asks for the rest.
    """
    part = out / ".part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    try:
        model.save_pretrained(part, state_dict=dict(trained(model)))
        for name in ("adapter_model.safetensors", "adapter_config.json"):
            (part / name).chmod(0o600)
            (part / name).replace(out / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
