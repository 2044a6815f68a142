"""Check what the scripts need on the GPU machine, and write down what is there.

    python preflight.py RECORD.json

Ends with an error that names every missing package. RECORD.json has the versions, the GPU, and
whether the GPU can be used inside the air gap; where it cannot, train.sh says --online.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

# Brought by the kit, and assumed to be there.
BROUGHT = ("bitsandbytes", "bonito_local", "diskcache", "gguf", "platformdirs")
THERE = (
    *("accelerate", "click", "filelock", "huggingface_hub", "jinja2", "numpy", "peft", "psutil"),
    *("pyarrow", "pytest", "pytest_timeout", "rich", "safetensors", "threadpoolctl", "tokenizers"),
    *("torch", "transformers", "yaml"),
)
_BUILDING = ("cmake", "ninja", "scikit_build_core")
_INSIDE = """
from bonito_local import airgap
held = airgap.enter()
import torch
assert (torch.ones(2, device="cuda") + 1).tolist() == [2, 2]
print(held)
"""


def missing() -> list[str]:
    """Return the packages that are not there."""
    names = [*BROUGHT, *THERE, *(() if os.environ.get("REHEARSAL") else _BUILDING)]
    return [name for name in names if find_spec(name) is None]


def call(*command: str) -> tuple[bool, str]:
    """Return whether a program succeeds, and the last line that it prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{command[0]}: {error}"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def versions() -> dict[str, str]:
    found = {}
    for name in (*BROUGHT, *THERE):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def main() -> None:
    if absent := missing():
        raise SystemExit(f"Missing here: {', '.join(absent)}. README.md says what brings them.")
    import torch

    cuda = torch.cuda.is_available()
    if not cuda and not os.environ.get("REHEARSAL"):
        raise SystemExit("PyTorch sees no GPU here.")
    held, inside = call(sys.executable, "-P", "-c", _INSIDE) if cuda else (True, "not tried")
    query = "--query-gpu=name,memory.total,driver_version"
    found = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "versions": versions(),
        "cuda": torch.version.cuda,
        "gpu": call("nvidia-smi", query, "--format=csv,noheader")[1] if cuda else "none",
        "nvcc": call("nvcc", "--version")[1] if cuda else "none",
        "air_gap": held,
        "inside_the_air_gap": inside,
    }
    Path(sys.argv[1]).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
