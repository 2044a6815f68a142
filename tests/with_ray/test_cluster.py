"""A real Ray cluster of several processes on this machine, with llama.cpp in its engines."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import passages, spec
from tiny_model import write_tiny_gguf

from bonito_local.backends.base import Backend, EngineOptions, Plan
from bonito_local.backends.cluster.engine import open_cluster
from bonito_local.backends.cluster.opening import Opening
from bonito_local.backends.cluster.options import ClusterOptions
from bonito_local.backends.cluster.vocabulary import open_vocabulary
from bonito_local.backends.registry import open_backend
from bonito_local.errors import BackendError, BonitoError, UsageError
from bonito_local.jobs.progress import Progress
from bonito_local.jobs.runner import run_job
from bonito_local.jobs.store import Store

pytestmark = [
    # Ray's own, of modules that it imports and settings that it sets.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds Ray's processes in /proc"),
]
JOB = spec("exqa,ynqa", n=2, max_tokens=24)
PASSAGES = 120
PLAN = Plan(n=2, reproducible=True)
# Read when Ray is imported.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_worker_niceness": "0",
}
Rows = list[tuple[str, int, str, str | None]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def alone(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of the job in one process."""
    store = Store(tmp_path_factory.mktemp("alone") / "store.sqlite")
    backend = open_backend("llamacpp", model, PLAN)
    run_job(store, backend, JOB, passages(PASSAGES))
    backend.close()
    return ended(store)


def ended(store: Store) -> Rows:
    """How each sample ended, by passage and task; the store is closed."""
    rows = store._db.execute(
        "SELECT passage || '/' || task, sample, outcome, completion FROM samples"
        " ORDER BY passage, task, sample"
    ).fetchall()
    store.close()
    return rows


def processes(what: str, under: int | None = None) -> list[int]:
    """Ray's processes of this user whose title begins so."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().decode(errors="replace")
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith(what) and (under is None or parent == under):
            found.append(int(folder.name))
    return found


def threads() -> list[str]:
    """Threads of an execution, ours or Ray Data's, in this process."""
    ours = ("cluster", "StreamingExecutor", "Prefetcher", "ray-data")
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(ours)]


class Moments:
    """Does something once so many samples have ended."""

    def __init__(self, *moments: tuple[int, Callable[[], None]]) -> None:
        self.moments = list(moments)

    def __call__(self, progress: Progress) -> None:
        if self.moments and progress.phase == "generating" and progress.done >= self.moments[0][0]:
            self.moments.pop(0)[1]()


def test_an_engine_and_a_node_are_killed_and_the_job_ends_as_in_one_process(
    tmp_path: Path, model: Path, alone: Rows
) -> None:
    """The job is stopped, goes on, loses an engine, then the node of another, and ends exactly."""
    os.environ |= SETTINGS
    from ray.cluster_utils import Cluster as RayCluster

    ray_cluster = RayCluster(
        initialize_head=True, head_node_args={"num_cpus": 3, "include_dashboard": False}
    )
    node = ray_cluster.add_node(num_cpus=3)
    options = ClusterOptions("ray", ray_cluster.address, 2)
    total = PASSAGES * 4
    try:
        with pytest.raises(UsageError, match="40 engines do not fit: the cluster has 6 CPUs"):
            open_cluster(ClusterOptions("ray", ray_cluster.address, 40), "llamacpp", model, PLAN)

        backend: Backend = open_cluster(options, "llamacpp", model, PLAN)
        assert backend.context_length == 512
        store = Store(tmp_path / "store.sqlite")
        enough: list[int] = []
        stop_early = Moments((40, lambda: enough.append(1)))
        run_job(store, backend, JOB, passages(PASSAGES), stop_early, lambda: bool(enough))
        assert threads() == []  # one that is left would turn for ever
        backend.close()
        ledger = store.ledger()
        assert ledger.planned == total
        assert 40 <= total - ledger.pending < total

        killed: list[int] = []

        def kill_engine() -> None:
            engines = processes("ray::MapWorker")
            assert len(engines) == 2
            os.kill(engines[0], signal.SIGKILL)
            killed.append(engines[0])

        def kill_node() -> None:
            killed.append(node.all_processes["raylet"][0].process.pid)
            ray_cluster.remove_node(node, allow_graceful=False)

        done = total - ledger.pending
        moments = Moments((done + 30, kill_engine), (done + 120, kill_node))
        backend = open_cluster(options, "llamacpp", model, PLAN)
        ledger = run_job(store, backend, JOB, None, moments)
        assert threads() == []
        backend.close()
        assert len(killed) == 2
        assert (ledger.planned, ledger.pending) == (total, 0)
        assert ended(store) == alone
    finally:
        ray_cluster.shutdown()  # type: ignore[no-untyped-call]


def test_the_last_rows_come_without_being_asked_for_again(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray Data would hold a table back until the next has come: after the last there is none."""
    os.environ |= SETTINGS

    def stalled(_: object) -> None:
        raise AssertionError("The last rows were held back.")

    within = "bonito_local.backends.cluster.execution."
    monkeypatch.setattr(f"{within}Execution._ask_again_if_lost", stalled)
    monkeypatch.setattr(f"{within}_STALL_SECONDS", 60.0)
    store = Store(tmp_path / "store.sqlite")
    backend = open_cluster(ClusterOptions("ray", "", 1), "llamacpp", model, PLAN)
    ledger = run_job(store, backend, JOB, passages(9))
    backend.close()
    store.close()
    assert (ledger.planned, ledger.pending) == (36, 0)


def test_a_cluster_that_goes_away_is_one_clear_line_and_keeps_what_came(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray alone would end this process a minute later, without a word."""
    os.environ |= SETTINGS
    from ray.cluster_utils import Cluster as RayCluster

    monkeypatch.setattr("bonito_local.backends.cluster.execution._STALL_SECONDS", 0.5)
    ray_cluster = RayCluster(
        initialize_head=True, head_node_args={"num_cpus": 3, "include_dashboard": False}
    )
    node: Any = ray_cluster.head_node
    head = node.all_processes["gcs_server"][0].process.pid
    store = Store(tmp_path / "store.sqlite")
    try:
        backend = open_cluster(ClusterOptions("ray", ray_cluster.address), "llamacpp", model, PLAN)
        moments = Moments((20, lambda: os.kill(head, signal.SIGKILL)))
        with pytest.raises(BackendError, match="is gone"):
            run_job(store, backend, JOB, passages(4 * PASSAGES), moments)
        backend.close()
    finally:
        ray_cluster.shutdown()  # type: ignore[no-untyped-call]
    kept = ended(store)
    assert 20 <= sum(row[2] != "pending" for row in kept) < len(kept)


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({"version": "0.0.1"}, "A node of the cluster has bonito-local"),
        ({"model": Path("/nowhere/model.gguf")}, "/nowhere/model.gguf is not on a node"),
        (
            {"plan": {"options": EngineOptions(adapter="/nowhere")}},
            "The adapter /nowhere is not on a node",
        ),
    ],
)
def test_a_node_that_lacks_something_says_what(
    model: Path, changed: dict[str, Any], title: str
) -> None:
    from bonito_local.backends.cluster.actor import open_engine

    with pytest.raises(BonitoError) as caught:
        open_engine(replace(Opening("llamacpp", model, {}, 1), **changed), None, "engine")
    assert caught.value.title.startswith(title)
    assert caught.value.remedy


@pytest.fixture
def refused() -> Iterator[int]:
    """A port where nobody listens."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_cluster_that_cannot_be_reached_is_one_clear_line_at_once(
    refused: int, model: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(BackendError) as caught:
        open_cluster(ClusterOptions("ray", f"127.0.0.1:{refused}"), "llamacpp", model, PLAN)
    assert time.monotonic() - begun < 60
    assert caught.value.title == (
        f"No Ray cluster can be joined at 127.0.0.1:{refused}: [Errno 111] Connection refused."
    )
    assert "ray start --head" in caught.value.remedy


def test_passages_are_counted_as_the_engine_does(model: Path) -> None:
    vocabulary, backend = open_vocabulary("llamacpp", model), open_backend("llamacpp", model)
    assert vocabulary.context_length == backend.context_length
    assert vocabulary.metadata == backend.metadata  # type: ignore[attr-defined]
    for text in ("", "Rent is due.", "<s> é 漢字\n"):
        assert vocabulary.count_tokens(text) == backend.count_tokens(text)
    backend.close()


def test_the_command_with_a_cluster_of_its_own_is_killed_and_goes_on(
    tmp_path: Path, model: Path
) -> None:
    """In the air gap, nothing of it left behind, the rows those of a job without a cluster."""
    lines = [f"Clause {i}. Rent number {7 * i} is due on day {i % 28}." for i in range(90)]
    (tmp_path / "lease.txt").write_text("\n\n".join(lines))
    before = set(Path("/tmp").glob("bonito-ray-*"))
    program = [sys.executable, "-m", "bonito_local", "generate", str(tmp_path / "lease.txt")]
    asked = ["-t", "exqa,ynqa", "-m", str(model), "--n", "6", "--max-tokens", "24"]
    command = [*program, *asked, "--reproducible"]

    def here(name: str) -> Path:
        return tmp_path / name / ".job" / "store.sqlite"

    def run(name: str, *more: str) -> str:
        ran = subprocess.run(
            [*command, "-o", str(tmp_path / name), *more],
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert "Traceback" not in ran.stderr
        return ran.stderr

    def done() -> int:
        return sum(row[2] != "pending" for row in rows()) if here("out").exists() else 0

    def rows(name: str = "out") -> Rows:
        try:
            store = Store(here(name), create=False)
        except BonitoError:
            return []
        return ended(store)

    options = ["--cluster", "ray", "--actors", "2"]
    killed = subprocess.Popen(
        [*command, "-o", str(tmp_path / "out"), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while done() < 20:
        assert killed.poll() is None
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    first = rows()
    assert 20 <= sum(row[2] != "pending" for row in first) < len(first)
    said = run("out", *options)
    assert "ray" not in said.lower()  # none of Ray's own lines
    # Engines share the cores, and other numbers of threads round otherwise.
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[::2])
    run("plain")
    os.sched_setaffinity(0, cores)
    assert rows() == rows("plain")
    told = json.loads((tmp_path / "out" / "ledger.json").read_text())
    assert told["planned"] == len(first)
    assert told["outcomes"]["pending"] == 0
    assert told["cluster"] == "ray on this machine"
    assert told["air_gap"] == [
        "empty network namespace, seccomp filter, Landlock domain, Python audit hook, "
        "open to this machine's own sockets"
    ]
    assert set(Path("/tmp").glob("bonito-ray-*")) <= before
