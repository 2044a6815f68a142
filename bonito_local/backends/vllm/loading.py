"""From a checkpoint folder to a vLLM engine, or to one error that says why not."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from bonito_local.airgap.switches import SWITCHES
from bonito_local.backends.adapter import Adapter
from bonito_local.backends.base import EngineOptions
from bonito_local.backends.checkpoint import Checkpoint
from bonito_local.backends.llamacpp.machine import available_memory, check_memory
from bonito_local.errors import BackendError, ModelError

# What vLLM calls what is asked for.
_QUANTIZATIONS = {"": None, "nf4": "bitsandbytes", "fp8": "fp8"}
_CACHE_SHARE = 4  # a fourth of the free memory is for the KV cache, on the CPU
_BATCHED_TOKENS = 4096
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine is this process: it ends with it
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "TORCH_CPP_LOG_LEVEL": "ERROR",
    **{name: SWITCHES[name] for name in ("VLLM_DO_NOT_TRACK", "VLLM_NO_USAGE_STATS")},
}


def load_engine(checkpoint: Checkpoint, options: EngineOptions, adapter: Adapter | None) -> Any:
    """Load the weights, and return an LLMEngine.

    Raises:
        BackendError: there is no device for it, or not as many as asked for.
        ModelError: the checkpoint is broken, of an unknown kind, or too large.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ[name] = value
    logging.getLogger("vllm").setLevel(logging.ERROR)  # it speaks while it is imported, too
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _load(checkpoint, options, adapter)


def _load(checkpoint: Checkpoint, options: EngineOptions, adapter: Adapter | None) -> Any:
    from safetensors import SafetensorError
    from vllm import EngineArgs, LLMEngine
    from vllm.platforms import current_platform

    _check_devices(current_platform, options)
    if current_platform.is_cpu() and not options.quantization:
        check_memory(checkpoint.folder, checkpoint.weight_bytes)
    settings: dict[str, Any] = {}
    if options.memory_fraction:
        settings["gpu_memory_utilization"] = options.memory_fraction
    elif current_platform.is_cpu():
        # Its own way is to take nearly all memory, and to fail where other programs have some.
        settings["kv_cache_memory_bytes"] = available_memory() // _CACHE_SHARE
    if current_platform.is_cpu():
        # A prompt read in two parts is one that cannot have a seed: "CPU Generator does not use
        # offset". So each is read at once.
        most = max(_BATCHED_TOKENS, checkpoint.context_length)
        settings |= {"enable_chunked_prefill": False, "max_num_batched_tokens": most}
    if adapter is not None:
        rank = min(allowed for allowed in _RANKS if allowed >= adapter.rank)
        settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
    quantization = _QUANTIZATIONS[options.quantization]
    if quantization != "bitsandbytes":
        settings["load_format"] = "safetensors"
    try:
        return LLMEngine.from_engine_args(
            EngineArgs(
                model=str(checkpoint.folder),
                dtype=options.dtype or "auto",
                quantization=quantization,
                tensor_parallel_size=options.tensor_parallel,
                # Compiling takes minutes, which pay off on a GPU only.
                enforce_eager=bool(current_platform.is_cpu()),
                # The samples of a prompt, and the head of every prompt, are computed once.
                enable_prefix_caching=True,
                trust_remote_code=False,
                disable_log_stats=True,
                use_tqdm_on_load=False,
                **settings,
            )
        )
    except (
        OSError,
        ValueError,
        RuntimeError,
        KeyError,
        TypeError,
        AssertionError,
        SafetensorError,
    ) as error:
        raise _refusal(checkpoint, error) from error


def _check_devices(platform: Any, options: EngineOptions) -> None:
    if not platform.device_type:
        raise BackendError(
            "vLLM finds no GPU here that it can use.",
            "Use --backend llamacpp or transformers, or install vLLM's build for CPUs.",
        )
    if platform.is_cpu():
        return
    there = platform.device_count()
    if options.tensor_parallel > there:
        raise BackendError(
            f"tensor_parallel is {options.tensor_parallel}, and there are {there} GPUs.",
            f"Use {there} or less.",
        )


def _refusal(checkpoint: Checkpoint, error: Exception) -> ModelError:
    """The error as a user can read it: vLLM's are long, and begin with what matters."""
    said = " ".join(str(error).split()) or type(error).__name__
    if "memory" in said.lower():
        return ModelError(
            f"{checkpoint.folder} does not fit in the memory there is: {said[:200]}.",
            "Close other programs, change engine.memory_fraction, or use --quantization nf4 or a "
            "smaller model.",
        )
    return ModelError(
        f"vLLM cannot load {checkpoint.folder}: {said[:300]}.",
        "Download or save it again, or update vLLM if the model is new.",
    )
