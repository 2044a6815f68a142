"""Measures a setting in a process of its own, since llama.cpp may crash with it.

It does so where a compiler got its AMX kernels wrong: GCC 12 drops most of the tiles' shape, and
the first instruction on a tile is illegal (github.com/ggml-org/llama.cpp/pull/26954). Those kernels
are used for weights that are rearranged as they load. No job should end with the attempt.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from bonito_local.backends.llamacpp.measuring import Measurement, Mix, measure_loaded
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.child import AnsweringChild
from bonito_local.errors import BonitoError

_LOOK_SECONDS = 0.25

Notify = Callable[[str], None]
Stop = Callable[[], bool]


def measure_apart(
    path: Path, settings: Settings, mix: Mix, probe: int, notify: Notify, stop: Stop
) -> Measurement | None:
    """What `measure_loaded` finds; None where the model cannot run so, or the user stops."""
    request = {"path": str(path), "settings": asdict(settings), "mix": asdict(mix), "probe": probe}
    with closing(AnsweringChild(__name__, request)) as child, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(next, child.answers(), None)
        while wait([answer], _LOOK_SECONDS).not_done:
            if stop():
                child.close()
                return None
        if (found := answer.result()) is not None:
            return Measurement(settings, **found)
        if crash := child.crash():
            how = "rearranged weights" if settings.repack else "no layers on the GPU"
            notify(f"llama.cpp crashes with {how} ({crash}): left out")
        return None


def _main() -> None:
    asked = json.load(sys.stdin)
    settings, mix = Settings(**asked["settings"]), Mix(**asked["mix"])
    try:
        found = measure_loaded(Path(asked["path"]), settings, mix, asked["probe"])
    except BonitoError:
        sys.exit(1)  # with more of it on the GPU it does not fit, say
    answer = {"prefill": found.prefill, "decode": found.decode, "seconds": found.seconds}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    _main()
