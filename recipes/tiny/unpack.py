"""Turns a released bonito-tiny.gguf back into a checkpoint, so that training can go on from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from gguf import GGUFReader, dequantize
from tokenizer import write
from tokenizers import models

_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
}


def unpack(gguf: Path, out: Path, heads: int, kv_heads: int) -> dict[str, torch.Tensor]:
    """Write the tokenizer to `out`; return the weights in float32 by their Hugging Face names."""
    reader = GGUFReader(gguf)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = reader.fields["tokenizer.ggml.merges"].contents()
    pairs = [tuple(merge.split(" ")) for merge in merges]
    write(models.BPE({token: i for i, token in enumerate(tokens)}, pairs), out)
    weights = {}
    for tensor in reader.tensors:
        values = np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
        block, _, rest = tensor.name.rpartition("blk.")[2].rpartition(".weight")[0].rpartition(".")
        if rest in ("attn_q", "attn_k"):
            values = halves(values, heads if rest == "attn_q" else kv_heads)
        prefix = f"model.layers.{block}." if block else ""
        weights[f"{prefix}{_NAMES[rest]}.weight"] = torch.from_numpy(values)
    return weights


def halves(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Undo GGUF's interleaving of a head's rotary pairs; `rows` is (heads * head_dim, width)."""
    split = rows.reshape(heads, -1, 2, rows.shape[1])
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(rows.shape))
