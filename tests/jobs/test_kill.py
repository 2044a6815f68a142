"""kill -9 at random moments of a real process: nothing is lost, nothing is there twice."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bonito_local.backends.base import Sampling
from bonito_local.jobs.generate import prepare
from bonito_local.jobs.generation import Generation
from bonito_local.jobs.state import job_state
from bonito_local.jobs.store import Store
from bonito_local.tasks import task_type

HERE = Path(__file__).parent
PLANNED = 250 * 2 * 2


def ended(path: Path) -> set[tuple[str, int]]:
    """The samples with a committed outcome, as (request id, sample)."""
    if not path.exists():
        return set()
    db = sqlite3.connect(path)
    try:
        rows = db.execute("SELECT passage, task, sample FROM samples WHERE outcome != 'pending'")
        return {(f"{passage}/{task}", sample) for passage, task, sample in rows}
    except sqlite3.OperationalError:  # Killed before the tables were made.
        return set()
    finally:
        db.close()


def answered(log: Path) -> list[tuple[str, int]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [(key, int(sample)) for key, sample in map(str.split, lines)]


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and not path.exists():
        time.sleep(0.01)


def test_killed_at_random_moments_a_job_ends_exactly_once(tmp_path: Path) -> None:
    chance = random.Random(0)
    store = tmp_path / "store.sqlite"
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}
    kills = 0
    for attempt in range(13):
        log = tmp_path / f"{attempt}.log"
        before = ended(store)
        process = subprocess.Popen(
            [sys.executable, str(HERE / "killed_job.py"), str(store), str(log)], env=env
        )
        if attempt < 12:
            if attempt % 3:  # Two of three while it generates, the others at any moment.
                wait_for(log, process)
            time.sleep(chance.uniform(0, 0.7))
            process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        after = ended(store)
        asked = answered(log)
        assert before <= after
        assert not before & set(asked)
        assert len(set(asked)) == len(asked)
        assert after - before <= set(asked)
    assert process.returncode == 0
    assert kills > 3
    opened = Store(store)
    ledger = opened.ledger()
    assert (ledger.planned, ledger.accepted, ledger.pending) == (PLANNED, PLANNED, 0)
    assert len({row.input for row in opened.chosen()}) == PLANNED
    opened.close()


def test_a_row_is_committed_soon_after_it_comes(tmp_path: Path) -> None:
    """The engine waits after each of three rows: each is on disk though none follows."""
    store = tmp_path / "store.sqlite"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scripted import *\n"
        "from bonito_local.jobs.runner import run_job\n"
        "from bonito_local.jobs.store import Store\n"
        "def answer(request, sample):\n"
        "    if request.id == '4/ynqa':\n"
        "        print('waiting', flush=True)\n"
        "        time.sleep(60)\n"
        "    return unique(request, sample)\n"
        f"run_job(Store(Path({str(store)!r})), Scripted(answer), spec(), passages(9))\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), *sys.path])}
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        deadline = time.monotonic() + 20
        while len(ended(store)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.kill()
    assert ended(store) == {(f"{i}/ynqa", 0) for i in (1, 2, 3)}


def test_fifty_kills_of_a_real_worker(
    tmp_path: Path, tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp in a worker process; benchmarks/reliability.py does the same a thousand times."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    chance = random.Random(1)
    lines = [f"Clause {at} says that rent is due on day {at}, and not later." for at in range(60)]
    table = tmp_path / "rows.csv"
    table.write_text("text\n" + "\n".join(f'"{line} {line}"' for line in lines))
    kills = finished = 0
    while kills < 50:
        output = tmp_path / f"out{finished}"
        tasks = (task_type("exqa"), task_type("ynqa"))
        sampling = Sampling(n=8, temperature=1.0, max_tokens=24)
        prepare(Generation((table,), tasks, output, str(tiny_gguf), sampling=sampling, guided=True))
        before: dict[tuple[object, ...], tuple[object, ...]] = {}
        status = -9
        while status:
            status = worked(output, chance.uniform(0.1, 1.2) if kills < 50 else None)
            kills += status == -signal.SIGKILL
            after = outcomes(output)
            assert before.items() <= after.items()
            before = after
        state = job_state(output)
        assert (state.state, state.ledger.pending) == ("finished", 0)
        assert len(before) == state.ledger.planned == 60 * 2 * 8
        rows = (output / "rows.jsonl").read_text().splitlines()
        assert len(rows) == len(set(rows)) == state.ledger.accepted
        finished += 1


def worked(output: Path, seconds: float | None) -> int:
    """The status of a worker that was killed after so long, unless it ended before."""
    command = [sys.executable, "-m", "bonito_local.jobs.worker", str(output), "again"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def outcomes(output: Path) -> dict[tuple[object, ...], tuple[object, ...]]:
    """How each sample ended, with what was drawn; the ledger must be their count."""
    db = sqlite3.connect(output / ".job" / "store.sqlite")
    try:
        rows = db.execute(
            "SELECT passage, task, sample, outcome, reason, completion, digest FROM samples"
        ).fetchall()
        counted = Counter((row[1], row[3], row[4]) for row in rows)
        kept = db.execute("SELECT task, outcome, reason, samples FROM counts WHERE samples")
        assert counted == {row[:3]: row[3] for row in kept}
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    finally:
        db.close()
    return {row[:3]: row[3:] for row in rows if row[3] != "pending"}
