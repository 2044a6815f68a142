"""Parsers of what lies in the folders and files of models beside their tensors."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from chat_templates import CHATML, PUBLISHED
from fuzz.targets import Reader
from tiny_checkpoint import write_adapter, write_checkpoint

_PARTS = {
    "config.json": "config",
    "tokenizer_config.json": "tokenizer",
    "adapter_config.json": "adapter",
    "model.safetensors.index.json": "index",
}


def checkpoint(folder: Path) -> tuple[bytes, Reader]:
    """The JSON files of a checkpoint and of an adapter, as they are looked at before a load."""
    from bonito_local.backends.adapter import read_adapter
    from bonito_local.backends.checkpoint import read_checkpoint
    from bonito_local.jobs.prompts import writer_of

    write_checkpoint(folder / "made", layers=1)
    made = folder / "made"
    weights = sorted(made.glob("*.safetensors"))
    shutil.copy(weights[0], made / "adapter_model.safetensors")
    token = {"bos_token": {"content": "<s>"}, "chat_template": PUBLISHED["vicuna"]}
    whole = {
        "config": json.loads((made / "config.json").read_text()),
        "tokenizer": token,
        "adapter": {"r": 8, "peft_type": "LORA", "modules_to_save": None},
        "index": {"weight_map": {"a": weights[0].name}},
    }

    def read(data: bytes) -> object:
        parts: Any = {}
        with suppress(ValueError, RecursionError):
            parts = json.loads(data)
        for name, part in _PARTS.items():
            text = data if not isinstance(parts, dict) else json.dumps(parts.get(part)).encode()
            (made / name).write_bytes(text)
        read_adapter(made)
        found = read_checkpoint(made)
        writer_of("auto", found.metadata)
        return found.context_length, found.quantization, found.weight_bytes, found.sha256()

    return json.dumps(whole).encode(), read


def conversion(folder: Path) -> tuple[bytes, Reader]:
    """The JSON files of a checkpoint and its adapter, as a conversion is planned by them."""
    from bonito_local.convert.plan import make_plan

    base, adapter = folder / "base", folder / "adapter"
    write_adapter(adapter, write_checkpoint(base, layers=1))
    files = [base / "config.json", base / "tokenizer_config.json", adapter / "adapter_config.json"]
    whole = {path.name: json.loads(path.read_text()) for path in files}
    whole["adapter_config.json"]["rank_pattern"] = {"layers.0.self_attn.q_proj": 8}
    whole["adapter_config.json"]["alpha_pattern"] = {".*_proj": 16}

    def read(data: bytes) -> object:
        parts: Any = {}
        with suppress(ValueError, RecursionError):
            parts = json.loads(data)
        for path in files:
            text = (
                data if not isinstance(parts, dict) else json.dumps(parts.get(path.name)).encode()
            )
            path.write_bytes(text)
        return make_plan(base, adapters=[adapter])

    return json.dumps(whole).encode(), read


def metadata(_folder: Path) -> tuple[bytes, Reader]:
    """What a model's file says of itself, as a job and its card take it."""
    from bonito_local.jobs.prompts import writer_of
    from bonito_local.models.fit import longest_passage, origin, untrained_tasks
    from bonito_local.tasks import TASK_TYPES

    whole = {
        "general.name": "m",
        "general.license": "mit",
        "general.file_type": "15",
        "bonito.passage_tokens": "200",
        "bonito.task_types": "exqa,ynqa",
        "tokenizer.chat_template": CHATML,
        "tokenizer.bos_token": "<s>",
    }

    def read(data: bytes) -> object:
        found: Any = {}
        with suppress(ValueError, RecursionError):
            found = json.loads(data)
        said = found.items() if isinstance(found, dict) else ()
        backend: Any = SimpleNamespace(metadata={name: str(value) for name, value in said})
        writer_of("auto", backend.metadata)
        untrained_tasks(backend, TASK_TYPES)
        return longest_passage(backend.metadata, 2048), origin(backend)

    return json.dumps(whole).encode(), read
