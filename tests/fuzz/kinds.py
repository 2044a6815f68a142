"""All targets by name, each with the ways to break what it reads."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from fuzz import targets, targets_of_models, targets_of_writing
from fuzz.mutating import flip, gguf_header, settings, store_values, template_pieces, values
from fuzz.targets import Reader

Mutate = Callable[[random.Random, bytes], bytes]
Make = Callable[[Path], tuple[bytes, Reader]]

KINDS: dict[str, tuple[Make, tuple[Mutate, ...]]] = {
    "job file": (targets.job_file, (flip, settings)),
    "task file": (targets_of_writing.task_file, (flip, settings)),
    "prompts": (targets_of_writing.prompts, (flip, settings)),
    "chat template": (targets_of_writing.chat_template, (flip, template_pieces)),
    "store": (targets.store, (store_values,)),
    "bundle": (targets.bundle, (flip,)),
    "hub": (targets.hub, (flip, values)),
    "server": (targets.server, (flip, values)),
    "talk": (targets_of_writing.talk, (flip, values)),
    "gguf": (targets.gguf, (gguf_header,)),
    "safetensors": (targets.safetensors, (flip,)),
    "checkpoint": (targets_of_models.checkpoint, (flip, values)),
    "conversion": (targets_of_models.conversion, (flip, values)),
    "metadata": (targets_of_models.metadata, (flip, values)),
    "manifest": (targets.manifest, (flip, values)),
}
