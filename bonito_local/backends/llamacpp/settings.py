"""What suits a machine, and changes nothing of what is asked of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bonito_local.backends.llamacpp.machine import physical_cores

CacheType = Literal["f16", "q8_0"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How llama.cpp runs a model; the defaults are safe on any machine, not the fastest.

    Attributes:
        n_seq: the most sequences decoded together. 1 reproduces bit for bit.
        threads: for steps that draw one token a sequence.
        prefill_threads: for prompts.
        repack: rearrange the weights as they load, faster for some quantizations and machines.
        ubatch: the most tokens of a prompt computed at once.
        flash_attention: llama.cpp's fused attention.
        cache: type of the KV cache. `q8_0` halves it, at a small loss, and needs
            flash attention.
        gpu_layers: layers kept on a GPU; -1 is all. Means nothing without one.
        draft: tokens looked up in the prompt and checked together with each drawn one.
    """

    n_seq: int = 32
    threads: int = field(default_factory=physical_cores)
    prefill_threads: int = field(default_factory=physical_cores)
    repack: bool = False
    ubatch: int = 512
    flash_attention: bool = True
    cache: CacheType = "f16"
    gpu_layers: int = -1
    draft: int = 0
