"""A tiny but real GGUF: Mistral's architecture, random weights, a byte-level BPE vocabulary.

Written with gguf-py alone in milliseconds, the same for the same seed. Attention and
output are scaled up so that every prompt token moves the logits: a test that mixes up two
sequences' KV cells sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType

BOS, EOS = "<s>", "</s>"
BOS_ID, EOS_ID = 0, 1
MERGES = """Ġ t|h e|Ġt he|i n|e r|Ġ a|o n|r e|Ġ s|a t|o r|e n|Ġ c|i s|Ġ o|e s|a n|i t|in g|Ġo f
a l|e d|a r|Ġ p|a s|i c|Ġ w|Ġ f|l e|n d|Ġa nd|i on|Ġ b|o u|s t|Ġ d|Ġ in|Ġ m|en t|Ġt o|t ion
Ġ e|r o|i l|Ġ h|o m|u s|c t|a c|Ġ n|v e|l l|i v|u r|a m|u l|o t|e t|Ġ is|ĉ ĉ|Ċ Ċ|Ġ Ġ|. Ċ"""


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in byte order."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = (byte for byte in range(256) if byte not in printable)
    stand_ins = {byte: chr(byte) for byte in printable}
    stand_ins |= {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [stand_ins[byte] for byte in range(256)]


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and merges: BOS, EOS, the 256 bytes, and one token for each merge."""
    merges = [m for m in MERGES.replace("\n", "|").split("|") if m.count(" ") == 1 and m[-1] != " "]
    return [BOS, EOS, *byte_symbols(), *(m.replace(" ", "") for m in merges)], merges


def write_tiny_gguf(
    path: Path,
    *,
    seed: int = 0,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    ff: int = 128,
    context: int = 512,
    ours: bool = True,
    eos_gain: float = 1.0,
    metadata: Mapping[str, str | int] | None = None,
) -> Path:
    """Write the model to `path` and return it.

    `eos_gain` scales EOS's output row: 0 makes EOS rare, a large one frequent.
    `ours`: it says that `convert` made it. `metadata` adds GGUF keys (`bonito.passage_tokens`,
    `bonito.task_types`, ...).
    """
    rng = np.random.default_rng(seed)
    tokens, merges = vocabulary()
    head = width // heads
    writer = GGUFWriter(path, "llama")
    names: dict[str, str | int] = {"general.name": "tiny"}
    if ours:
        names["bonito.convert.base"] = "tiny"
    metadata = {**names, **(metadata or {})}
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(ff)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([TokenType.CONTROL] * 2 + [TokenType.NORMAL] * (len(tokens) - 2))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    for key, value in metadata.items():
        if isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)

    def matrix(out: int, into: int, gain: float = 1.0) -> npt.NDArray[np.float32]:
        drawn = rng.standard_normal((out, into)) * gain / np.sqrt(into)
        return np.asarray(drawn, dtype=np.float32)

    ones = np.ones(width, dtype=np.float32)
    output = matrix(len(tokens), width, 3.0)
    output[EOS_ID] *= eos_gain
    output[BOS_ID] = 0.0
    writer.add_tensor("token_embd.weight", matrix(len(tokens), width, 8.0))
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", ones)
    for i in range(layers):
        writer.add_tensor(f"blk.{i}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{i}.attn_q.weight", matrix(heads * head, width, 0.7))
        writer.add_tensor(f"blk.{i}.attn_k.weight", matrix(kv_heads * head, width, 0.7))
        writer.add_tensor(f"blk.{i}.attn_v.weight", matrix(kv_heads * head, width, 3.0))
        writer.add_tensor(f"blk.{i}.attn_output.weight", matrix(width, heads * head, 3.0))
        writer.add_tensor(f"blk.{i}.ffn_norm.weight", ones)
        writer.add_tensor(f"blk.{i}.ffn_gate.weight", matrix(ff, width))
        writer.add_tensor(f"blk.{i}.ffn_up.weight", matrix(ff, width))
        writer.add_tensor(f"blk.{i}.ffn_down.weight", matrix(width, ff))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
