"""Measures a setting in a process of its own, since llama.cpp may crash with it.

It does so where a compiler got its AMX kernels wrong: GCC 12 drops most of the tiles' shape, and
the first instruction on a tile is illegal (github.com/ggml-org/llama.cpp/pull/26954). Those kernels
are used for weights that are rearranged as they load. No job should end with the attempt.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bonito_local.backends.llamacpp.measuring import Measurement, Mix, measure_loaded
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.errors import BonitoError

_LOOK_SECONDS = 0.25

Notify = Callable[[str], None]
Stop = Callable[[], bool]


def measure_apart(
    path: Path, settings: Settings, mix: Mix, probe: int, notify: Notify, stop: Stop
) -> Measurement | None:
    """What `measure_loaded` finds; None where the model cannot run so, or the user stops."""
    asked = json.dumps([str(path), asdict(settings), asdict(mix), probe])
    # -P: a module in the folder the user works in must not be taken for one of ours.
    command = [sys.executable, "-P", "-m", __name__, asked]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while True:
            try:
                told, _ = process.communicate(timeout=_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                if stop():
                    process.kill()
    if process.returncode < 0 and not stop():
        crash = signal.Signals(-process.returncode).name
        how = "rearranged weights" if settings.repack else "no layers on the GPU"
        notify(f"llama.cpp crashes with {how} ({crash}): left out")
    if process.returncode:
        return None
    prefill, decode, seconds = json.loads(told)
    return Measurement(settings, prefill, decode, seconds)


def _main() -> None:
    path, settings, mix, probe = json.loads(sys.argv[1])
    try:
        found = measure_loaded(Path(path), Settings(**settings), Mix(**mix), probe)
    except BonitoError:
        sys.exit(1)  # with more of it on the GPU it does not fit, say
    sys.stdout.write(json.dumps([found.prefill, found.decode, found.seconds]))


if __name__ == "__main__":
    _main()
