"""Turns a released bonito-tiny.gguf back into a checkpoint, so that training can go on from it."""

from __future__ import annotations

from pathlib import Path

import torch
from gguf import GGUFReader, dequantize
from tokenizer import write
from tokenizers import models
from transformers import MistralForCausalLM

from bonito_local.convert.architectures import Architecture


@torch.no_grad()
def unpack(gguf: Path, model: MistralForCausalLM, out: Path) -> None:
    """Fill the model with the file's weights, and write its tokenizer to `out`."""
    reader = GGUFReader(gguf)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    pairs = [tuple(merge.split(" ")) for merge in merges]
    write(models.BPE({token: i for i, token in enumerate(tokens)}, pairs), out)
    config = model.config.to_dict() | {"architectures": [type(model).__name__]}
    architecture = Architecture.from_config(config)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    for name, parameter in model.named_parameters():
        tensor = stored[architecture.gguf_name(name)]
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        if heads := architecture.rotary_heads(name):
            # GGUF interleaves a head's rotary pairs; a checkpoint has its halves in turn.
            values = values.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)
        parameter.copy_(values)
