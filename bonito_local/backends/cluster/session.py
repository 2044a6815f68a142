"""Ray, started for a job on this machine or joined where the user runs it."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonito_local.airgap.switches import set_switches
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.errors import BackendError

_PREFIX = f"bonito-ray-{os.getuid() if hasattr(os, 'getuid') else 'user'}-"
_PROBE_SECONDS = 5.0
_HELPERS = 3  # logical CPUs
_STORE_BYTES = 100 << 20  # blocks of text on their way; they are small
# Before Ray is imported: it reads them once.
_SETTINGS = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # or a thread of Ray Data starts a cluster after the end
    "RAY_DEDUP_LOGS": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_worker_niceness": "0",  # an engine is as important as the job that waits for it
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
# Ray would ask the system which interface leads out.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True, slots=True)
class Node:
    """What Ray says that a node has for engines."""

    cpus: float
    gpus: float


class Session:
    """A connection to a cluster; `close` ends it, and the cluster with it if it was started here.

    A cluster of this machine listens on the loopback interface alone. What it writes lies in a
    folder of /tmp that only the user can read (paths of its sockets have to be short).
    """

    def __init__(self, options: ClusterOptions) -> None:
        """Start or join.

        Raises:
            BackendError: Ray is not installed, cannot start, or nobody answers at the address.
        """
        set_switches(os.environ)
        os.environ.update(_SETTINGS if options.address else _SETTINGS | _LOOPBACK)
        with _quiet():
            ray = _import_ray()
        self._ray = ray
        self._options = options
        self._folder: Path | None = None
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        usual = signal.getsignal(signal.SIGTERM)
        mask = os.umask(0o077)
        try:
            if options.address:
                _probe(options)
                with _quiet():
                    ray.init(address=options.address, log_to_driver=False, logging_level="CRITICAL")
            else:
                self._folder = _private_folder()
                with _quiet():
                    ray.init(
                        address="local",
                        # Logical ones: helpers of Ray Data need some beside the engines.
                        num_cpus=max(os.cpu_count() or 1, options.actors) + _HELPERS,
                        include_dashboard=False,
                        object_store_memory=_STORE_BYTES,
                        log_to_driver=False,
                        logging_level="CRITICAL",
                        _node_ip_address="127.0.0.1",
                        _temp_dir=str(self._folder),
                    )
        except (RuntimeError, ValueError, OSError, AssertionError) as error:
            self.close()
            raise _unreachable(options, error) from error
        finally:
            os.umask(mask)
            # Ray takes the signal by which a job is told to stop.
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, usual)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    @property
    def nodes(self) -> list[Node]:
        """Those that are alive."""
        found: list[dict[str, Any]] = self._ray.nodes()
        there = [node["Resources"] for node in found if node["Alive"]]
        return [Node(float(has.get("CPU", 0)), float(has.get("GPU", 0))) for has in there]

    def check(self) -> None:
        """Raise BackendError where nobody answers any more at the address that was joined.

        Ray would go on trying, and a minute later end this process without a word.
        """
        if not self._options.address:
            return
        try:
            _probe(self._options)
        except OSError as error:
            raise BackendError(
                f"The Ray cluster at {self._options.address} is gone.",
                "Start it again and run the same command: what had finished is kept.",
            ) from error

    def close(self) -> None:
        """End it; what its actors were drawing is dropped."""
        if self._ray.is_initialized():
            threading.excepthook = _pass_over_ray(threading.excepthook)
            self._ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _pass_over_ray(usual: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Ray Data's threads outlive the connection for a moment, and end with an error by that."""

    def hook(told: Any) -> None:
        name = told.thread.name if told.thread else ""
        if not name.startswith(("ray-data", "StreamingExecutor", "Prefetcher")):
            usual(told)

    return hook


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise BackendError(
            f"Ray cannot be imported: {error}.", "pip install 'bonito-local[ray]'"
        ) from error
    return ray


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray's native code says on stderr, not to be silenced, what is of no use to a user."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _probe(options: ClusterOptions) -> None:
    """Ray itself would try for a minute."""
    with socket.create_connection(options.host, timeout=_PROBE_SECONDS):
        pass


def _unreachable(options: ClusterOptions, error: Exception) -> BackendError:
    said = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    if not options.address:
        return BackendError(f"Ray cannot start on this machine: {said}.", "Run without --cluster.")
    return BackendError(
        f"No Ray cluster can be joined at {options.address}: {said}.",
        "Start it (`ray start --head`), with the same versions of Python and Ray, and run the "
        "job on one of its nodes.",
    )


def _private_folder() -> Path:
    """A new folder; those that killed jobs left behind go."""
    # Not where TMPDIR says: paths of sockets may have 107 bytes, and Ray adds some 70.
    top = Path("/tmp" if os.name == "posix" else tempfile.gettempdir())  # noqa: S108
    for left in top.glob(f"{_PREFIX}*"):
        number = left.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=top))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
