"""The first load of a model file happens in a process of its own.

llama.cpp trusts what a file says of itself, and aborts the process over some of it. Run as a module
this is that process: `python -m bonito_local.backends.llamacpp.trial FILE`. A file that loaded once
is remembered by its place, size and time, and by llama.cpp's release.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from bonito_local.errors import ModelError
from bonito_local.private import make_folder

_TRYING = "BONITO_LOCAL_TRYING"  # set in the child, which loads for itself
COMMAND = ("-m", "bonito_local.backends.llamacpp.trial")
_SECONDS, _BYTES_A_SECOND = 120.0, 50_000_000
_CELLS = 32


def see_that_it_loads(path: Path) -> None:
    """Have a child load a file that was never loaded here.

    Raises:
        ModelError: llama.cpp crashes with it, or does not come to an end.
    """
    if os.environ.get(_TRYING) or _is_ours(path):
        return
    mark = _mark(path)
    if mark is not None and mark.exists():
        return
    most = _SECONDS + path.stat().st_size / _BYTES_A_SECOND
    # -P: a module in the folder the user works in must not be taken for one of ours.
    try:
        ended = subprocess.run(
            [sys.executable, "-P", *COMMAND, str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, _TRYING: "1"},
            start_new_session=True,
            timeout=most,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"llama.cpp did not load {path} within {most:.0f} s.", "Use another file of the model."
        ) from error
    if ended.returncode < 0:
        name = signal.Signals(-ended.returncode).name
        raise ModelError(
            f"llama.cpp crashes with {path} ({name}): the file is broken, or newer than it.",
            "Download or convert the model again, or update llama-cpp-python.",
        )
    # Another status is an error that loading tells in its own words.
    if ended.returncode == 0 and mark is not None:
        with suppress(OSError):
            make_folder(mark.parent)
            mark.touch(mode=0o600)


def _is_ours(path: Path) -> bool:
    """Whether the file came with the package."""
    return path.resolve().parent == Path(str(files("bonito_local.assets"))).resolve()


def _mark(path: Path) -> Path | None:
    """Where it is noted that the file loads; None where that cannot be told."""
    from platformdirs import user_cache_path

    try:
        found = path.stat()
    except OSError:
        return None
    told = (path.resolve(), found.st_size, found.st_mtime_ns, found.st_ino)
    key = repr((*told, version("llama-cpp-python")))
    name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return user_cache_path("bonito-local") / "loaded" / name


def main(path: Path) -> int:
    """Load the file, and make a context, without the network and without other programs."""
    from bonito_local import airgap

    airgap.enter(programs=False)
    from bonito_local.backends.llamacpp.bindings import lib
    from bonito_local.backends.llamacpp.model import Model

    try:
        model = Model(path, gpu_layers=0)
        model.prompt("Hello.\n")
    except ModelError:
        return 1
    for token in range(model.vocabulary_size):
        model.piece(token)
    params = lib.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = _CELLS
    params.n_threads = params.n_threads_batch = 1
    context = lib.llama_init_from_model(model.handle, params)
    return 0 if context else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
