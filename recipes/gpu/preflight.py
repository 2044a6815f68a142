"""Check what the scripts need on the GPU machine, and write down what is there.

    python preflight.py PACKAGES.json RECORD.json

Ends with an error that names every missing package; PACKAGES.json is from needed.py. RECORD.json
has the versions, the GPU, and whether the GPU can be used inside the air gap; where it cannot,
train.sh says --online.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_BUILDING = ("cmake", "ninja", "scikit-build-core")
_INSIDE = """
from bonito_local import airgap
held = airgap.enter()
import torch
assert (torch.ones(2, device="cuda") + 1).tolist() == [2, 2]
print(held)
"""


def call(*command: str) -> tuple[bool, str]:
    """Return whether a program succeeds, and the last line that it prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{command[0]}: {error}"
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the release of each package.

    Raises:
        SystemExit: some are missing.
    """
    found, absent = {}, []
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            absent.append(package)
    if absent:
        raise SystemExit(f"Missing here: {', '.join(absent)}. README.md says what brings them.")
    return found


def main() -> None:
    rehearsal = bool(os.environ.get("REHEARSAL"))
    packages = json.loads(Path(sys.argv[1]).read_text())
    needed = ["bonito-local", *packages["brought"], *packages["assumed"]]
    there = versions(needed if rehearsal else [*needed, *_BUILDING])
    import torch

    cuda = torch.cuda.is_available()
    if not cuda and not rehearsal:
        raise SystemExit("PyTorch sees no GPU here.")
    held, inside = call(sys.executable, "-P", "-c", _INSIDE) if cuda else (True, "not tried")
    query = "--query-gpu=name,memory.total,driver_version"
    found = {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "versions": there,
        "cuda": torch.version.cuda,
        "gpu": call("nvidia-smi", query, "--format=csv,noheader")[1] if cuda else "none",
        "nvcc": call("nvcc", "--version")[1] if cuda else "none",
        "air_gap": held,
        "inside_the_air_gap": inside,
    }
    Path(sys.argv[2]).write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
