import subprocess
import sys
from pathlib import Path

from bonito_local.jobs.lock import ProcessLock, is_held

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom bonito_local.jobs.lock import ProcessLock\n"
    "assert ProcessLock.acquire(lock := ProcessLock(Path(sys.argv[1])))\n"
    "print('held', flush=True)\ntime.sleep(60)\n"
)


def test_a_lock_is_one_process_s_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_held(path)
        assert not ProcessLock(path).acquire()
        holder.kill()
    assert not is_held(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_released_it_is_free_and_looking_takes_nothing(tmp_path: Path) -> None:
    first, second = ProcessLock(tmp_path / "lock"), ProcessLock(tmp_path / "lock")
    assert first.acquire()
    assert is_held(tmp_path / "lock")
    assert not second.acquire()
    first.release()
    assert not is_held(tmp_path / "lock")
    assert second.acquire()
    second.release()
    assert (tmp_path / "lock").read_bytes() == b""
