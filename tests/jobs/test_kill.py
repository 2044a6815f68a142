"""kill -9 at random moments of a real process: nothing is lost, nothing is there twice."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from bonito_local.jobs.store import Store

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
    assert len({row.instruction for row in opened.accepted()}) == PLANNED
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
