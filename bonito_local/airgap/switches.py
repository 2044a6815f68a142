"""The switches of libraries that would use a network, download or report unasked."""

from __future__ import annotations

from collections.abc import MutableMapping

SWITCHES = {
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "WANDB_MODE": "disabled",
}
# A proxy or a hub of the user's own is of no use inside, and its name may carry a password.
FORGOTTEN = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "HF_TOKEN", "HF_ENDPOINT")


def set_switches(environment: MutableMapping[str, str]) -> None:
    """Turn everything off in `environment`, for this process and those it starts."""
    environment.update(SWITCHES)
    for name in FORGOTTEN:
        environment.pop(name, None)
        environment.pop(name.upper(), None)
