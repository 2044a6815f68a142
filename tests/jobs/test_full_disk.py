"""A disk that is full in earnest: a file system of a few pages, in a namespace of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from app_jobs import finished_job

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces")
STORE = """
import sys
from pathlib import Path
from bonito_local.errors import JobError
from bonito_local.jobs.store import Store
try:
    Store(Path(sys.argv[1], ".job", "store.sqlite"))
except JobError as error:
    print(error.title, error.remedy)
"""
EXPORT = """
import sys
from pathlib import Path
from bonito_local.errors import OutputError
from bonito_local.jobs.exporting import Export, export
disk = Path(sys.argv[1])
(disk / "old").mkdir()
(disk / "other").write_bytes(bytes(4096))
for name in ("old", "new"):
    try:
        export(Path(sys.argv[2]), Export("jsonl"), disk / name)
    except OutputError as error:
        print(error.title, error.remedy)
print(*sorted(path.relative_to(disk).as_posix() for path in disk.rglob("*")))
"""


PURGE = """
import sys
from pathlib import Path
from shutil import copytree
from bonito_local.jobs.removal import purge
disk = Path(sys.argv[1])
copytree(sys.argv[2], disk / "out")
try:
    (disk / "other").write_bytes(bytes(1 << 22))
except OSError as error:
    print(error.strerror)
purge(disk / "out")
print(*sorted(path.relative_to(disk).as_posix() for path in disk.rglob("*")))
"""


def on_a_disk(kilobytes: int, disk: Path, code: str, *more: Path) -> list[str]:
    """What a program prints that is given an empty disk of that size."""
    disk.mkdir()
    mount = f'mount -t tmpfs -o size={kilobytes}k tmpfs "$0" && exec "$@"'
    command: list[object] = ["unshare", "-rm", "sh", "-c", mount, disk]
    command += [sys.executable, "-c", code, disk, *more]
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@LINUX
@pytest.mark.parametrize("kilobytes", [4, 24, 64])
def test_a_job_without_room_is_told_so(tmp_path: Path, kilobytes: int) -> None:
    """SQLite calls it an I/O error where its index of the log does not fit."""
    disk = tmp_path / "disk"
    (told,) = on_a_disk(kilobytes, disk, STORE)
    assert told.startswith(f"The disk that holds {disk}/.job is full. Free some space")


@LINUX
@pytest.mark.parametrize("kilobytes", [4, 20])
def test_an_export_without_room_leaves_nothing(
    tmp_path: Path, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    disk = tmp_path / "disk"
    old, new, left = on_a_disk(kilobytes, disk, EXPORT, finished_job(tmp_path / "out"))
    for told, name in ((old, "old"), (new, "new")):
        assert told.startswith(f"The dataset cannot be written to {disk / name}: ")
        assert "space" in told
    assert left == "old other"


@LINUX
def test_a_job_on_a_full_disk_is_purged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    told = on_a_disk(2000, tmp_path / "disk", PURGE, finished_job(tmp_path / "out"))
    assert told == ["No space left on device", "other"]
