"""Turns a released bonito-tiny.gguf back into a checkpoint, so that training can go on from it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import MistralForCausalLM

from bonito_local.convert.dequantize import to_checkpoint


@torch.no_grad()
def unpack(gguf: Path, model: MistralForCausalLM, out: Path) -> None:
    """Fill the model with the file's weights, and write its tokenizer to `out`."""
    with tempfile.TemporaryDirectory(dir=out) as folder:
        checkpoint = Path(folder) / "checkpoint"
        to_checkpoint(gguf, checkpoint)
        weights = load_file(checkpoint / "model.safetensors")
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(checkpoint / name, out / name)
