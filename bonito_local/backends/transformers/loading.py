"""From a checkpoint folder to a model on a device, or to one error that says why not."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from bonito_local.backends.adapter import Adapter
from bonito_local.backends.checkpoint import Checkpoint
from bonito_local.backends.llamacpp.machine import available_memory, check_memory
from bonito_local.errors import ModelError

_LEAST_CELLS = 512
_FOUR_BIT = 4  # times smaller than at 16 bits, at most: embeddings stay as they are

# It complains of kernels that it could fetch from a hub.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def find_device() -> str:
    """The best device there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_model(checkpoint: Checkpoint, four_bit: bool, dtype: torch.dtype, device: str) -> Any:
    """Load the weights.

    Raises:
        ModelError: they are broken or incomplete, of an unknown kind, or too large.
    """
    settings: dict[str, Any] = {}
    if device == "cpu":
        check_memory(checkpoint.folder, checkpoint.weight_bytes // (_FOUR_BIT if four_bit else 1))
    if four_bit and not checkpoint.quantization:
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    folder = checkpoint.folder
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **settings,
        )
    except torch.OutOfMemoryError as error:
        raise ModelError(
            f"{folder} does not fit in the GPU's memory.",
            "Use --quantization nf4, or a smaller model.",
        ) from error
    except ImportError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(
            f"transformers cannot load {folder}: {said[0][:200]}.",
            "Download or save it again, or update transformers if the model is new.",
        ) from error
    if lacking := sorted(info["missing_keys"]):
        # transformers would go on with random numbers in their place.
        raise ModelError(
            f"{folder} is incomplete: it lacks {lacking[0]}.", "Download or save it again."
        )
    return model.eval()


def load_adapter(model: Any, adapter: Adapter) -> Any:
    """The model with a LoRA adapter on it, unmerged.

    Raises:
        ModelError: the adapter is another model's.
    """
    from peft import PeftConfig, PeftModel

    wrong = ModelError(
        f"The adapter {adapter.folder} does not go with {model.config._name_or_path}.",
        "Give the model that it was trained on.",
    )
    folder = str(adapter.folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of is an error here
        try:
            adapted = PeftModel(model, PeftConfig.from_pretrained(folder))
            found = adapted.load_adapter(folder, "default")
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            raise wrong from error
    if found.unexpected_keys or any("lora_" in key for key in found.missing_keys):
        raise wrong
    return adapted.get_base_model().eval()


def last_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a text, as model and tokenizer name them."""
    found = {tokenizer.eos_token_id}
    for config in (model.generation_config, model.config):
        named = getattr(config, "eos_token_id", None)
        found |= set(named) if isinstance(named, list) else {named}
    return found - {None}


def affordable_cells(checkpoint: Checkpoint, dtype: torch.dtype, device: str) -> int:
    """Tokens that all rows together may hold, in half of the free memory."""
    config = checkpoint.config
    heads = config.get("num_attention_heads", 1)
    size = config.get("head_dim") or config.get("hidden_size", 4096) // heads
    kept = config.get("num_key_value_heads") or heads
    one: int = 2 * config.get("num_hidden_layers", 32) * kept * size * dtype.itemsize
    free: int = torch.cuda.mem_get_info()[0] if device == "cuda" else available_memory()
    return max(_LEAST_CELLS, free // 2 // one)
