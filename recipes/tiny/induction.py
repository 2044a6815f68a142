"""Starts a model with one induction circuit in place, so that it can quote from the first step.

Induction heads (Olsson et al. 2022, "In-context learning and induction heads") let a model
copy: a head in the first layer notes at each position the token before it; a head in the
second finds the position whose noted token is the current one, and promotes the token there.
Small models take millions of tokens to form them. Here their weights are written down; all
other writes into the residual stream start at zero, and training is free to change it all.

The residual stream's coordinates: 0 holds a constant, 1 to 64 the note of the previous token
(nothing in the embeddings), the rest a random code of the token.
"""

from __future__ import annotations

import torch
from transformers import MistralForCausalLM

SCALE = 0.05  # standard deviation of a token's code
CONSTANT = 8.0  # the constant coordinate, in units of SCALE
PREVIOUS_PAIRS = 8  # rotary pairs of high frequency: they tell neighbouring positions apart
MATCH_PAIRS = 12  # rotary pairs of low frequency: nearly blind to position, they compare codes


@torch.no_grad()
def write_induction(model: MistralForCausalLM, generator: torch.Generator) -> None:
    """Set embeddings and the first two layers; see the module's words for the layout."""
    config = model.config
    width, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    group = config.num_attention_heads // config.num_key_value_heads
    half, code = head // 2, slice(1 + head, width)
    size = width - 1 - head
    embedding = model.get_input_embeddings().weight
    embedding.normal_(0, SCALE, generator=generator)
    embedding[:, 0] = CONSTANT * SCALE
    embedding[:, 1 : 1 + head] = 0
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()

    basis = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    note = basis[:, :head].T * (size / head) ** 0.5 * 0.5  # (head, size)
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn

    # Previous token: the score sums cos(angle * (distance - 1)) over high frequencies.
    angles = config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    strength = 8.0 / CONSTANT
    for weight, shift in ((first.q_proj.weight, 0.0), (first.k_proj.weight, 1.0)):
        weight[:head] = 0
        for j in range(PREVIOUS_PAIRS):
            weight[j, 0] = strength * torch.cos(angles[j] * shift)
            weight[j + half, 0] = strength * torch.sin(angles[j] * shift)
    first.v_proj.weight[:head] = 0
    first.v_proj.weight[:head, code] = note
    first.o_proj.weight[1 : 1 + head, :head] = torch.eye(head) * 1.5 * SCALE

    # Match, one head per group of keys: both find the same place and carry a half of its code.
    low = list(range(half - MATCH_PAIRS, half))
    rows = torch.tensor(low + [j + half for j in low])
    for kv in range(config.num_key_value_heads):
        q, k = kv * group * head, kv * head
        second.q_proj.weight[q : q + head] = 0
        second.k_proj.weight[k : k + head] = 0
        for i, row in enumerate(rows):
            second.q_proj.weight[q + row, code] = 2.6 * note[i]
            second.k_proj.weight[k + row, 1 + i] = 2.6
        carried = basis[:, kv * head : (kv + 1) * head]
        second.v_proj.weight[k : k + head] = 0
        second.v_proj.weight[k : k + head, code] = carried.T
        second.o_proj.weight[code, q : q + head] = carried * 10 * SCALE
