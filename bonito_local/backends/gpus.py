"""The GPUs of this machine, as their drivers tell; no engine is imported."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU: its maker, and what its driver calls it."""

    maker: str
    name: str


def find_gpus() -> list[Gpu]:
    """NVIDIA's and AMD's; Apple's need no looking for."""
    if tool := shutil.which("nvidia-smi"):
        asked = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        try:
            ended = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            return []
        if ended.returncode == 0:
            lines = [line.strip() for line in ended.stdout.splitlines()]
            return [Gpu("NVIDIA", line) for line in lines if line]
    if Path("/dev/kfd").exists():
        return [Gpu("AMD", "an AMD GPU (/dev/kfd)")]
    return []
