"""What a job leaves behind and what it was given: core files, sockets, terminals, modes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from written import SENTENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


def python(
    code: str, *args: str, pass_fds: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        timeout=120,
        pass_fds=pass_fds,
    )


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGSEGV, signal.SIGABRT])
@pytest.mark.parametrize("online", [False, True])
def test_no_signal_has_a_core_file_written(number: int, online: bool, tmp_path: Path) -> None:
    code = (
        "import os, resource, sys; most = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (most, most)); from bonito_local import airgap\n"
        f"airgap.enter(online={online}); os.kill(os.getpid(), int(sys.argv[1]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(number)], cwd=tmp_path)
    status = os.waitpid(child.pid, 0)[1]
    child.returncode = 0
    assert (os.WTERMSIG(status), os.WCOREDUMP(status)) == (number, False)
    assert list(tmp_path.iterdir()) == []


def test_every_command_leaves_no_core_file() -> None:
    """Those that show rows without entering the air gap, too."""
    code = (
        "import ctypes, resource, sys; from bonito_local.cli import main\n"
        "main.run = lambda _: 0\n"
        "try: main.main()\nexcept SystemExit: pass\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    assert python(code).stdout == "(0, 0) 0\n"


def test_a_socket_from_before_leads_nowhere_and_keeps_its_number() -> None:
    near, far = socket.socketpair()
    with closing(near), closing(far):
        code = (
            "import os, sys; from bonito_local import airgap; airgap.enter()\n"
            "os.write(int(sys.argv[1]), b'leaked')\n"
            "print(os.readlink('/proc/self/fd/' + sys.argv[1]))"
        )
        ended = python(code, str(near.fileno()), pass_fds=(near.fileno(),))
        assert ended.stdout == "/dev/null\n", ended.stderr
        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(1)


def test_pairs_of_sockets_and_pipes_work_inside() -> None:
    code = (
        "import asyncio, socket, subprocess, sys; from bonito_local import airgap; airgap.enter()\n"
        "a, b = socket.socketpair(); a.sendall(b'x'); assert b.recv(1) == b'x'\n"
        "c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); c.send(b'y')\n"
        "assert d.recv(1) == b'y'\n"
        "async def sleep(): await asyncio.sleep(0)\n"
        "asyncio.run(sleep())\n"
        "subprocess.run([sys.executable, '-c', 'pass'], check=True)"
    )
    assert python(code).returncode == 0


def test_files_can_be_moved_between_folders_inside(tmp_path: Path) -> None:
    """Landlock forbids that, where it is not told otherwise."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "file").touch()
    code = (
        "import sys; from pathlib import Path; from bonito_local import airgap; airgap.enter()\n"
        "folder = Path(sys.argv[1]); (folder / 'a/file').rename(folder / 'b/file')"
    )
    assert python(code, str(tmp_path)).stderr == ""
    assert (tmp_path / "b" / "file").exists()


def test_readers_have_no_terminal(tmp_path: Path) -> None:
    """Nor have what they start, were they to: the session is their own."""
    from bonito_local.passages.process import _Reader

    reader = _Reader(tables=True)
    try:
        process = reader._process.pid
        assert os.getsid(process) == process
        stat = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        assert stat[4] == "0"  # the number of its terminal
    finally:
        reader.end()


def test_whatever_the_umask_all_is_for_the_user_alone(tmp_path: Path, tiny_gguf: Path) -> None:
    """The folder of the job, the caches, the list of jobs and the store of models."""
    home, documents = tmp_path / "home", tmp_path / "documents"
    home.mkdir(0o700)
    documents.mkdir()
    (documents / "a.jsonl").write_text(json.dumps({"text": SENTENCE}))
    (documents / "b.html").write_text(f"<p>{SENTENCE}")
    program = ["-m", "bonito_local"]
    options = ["--backend", "fake", "-t", "exqa", "-o", str(home / "a" / "b" / "out")]
    for command in (
        ["generate", str(documents), *options],
        ["models", "add", str(tiny_gguf), "--name", "mine"],
        ["jobs"],
    ):
        ended = subprocess.run(
            [sys.executable, "-c", _LOOSE, *program, *command],
            env={**os.environ, "HOME": str(home)},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
    paths = (path for path in home.rglob("*") if not path.is_symlink())
    modes = {path: path.stat().st_mode & 0o777 for path in paths}
    assert {path for path, mode in modes.items() if mode & 0o077} == set()
    assert home / ".local/share/bonito-local/models/mine.gguf" in modes
    assert home / "a" / "b" / "out" / "README.md" in modes


_LOOSE = (
    "import os, sys; os.umask(0); os.execv(sys.executable, [sys.executable, '-P', *sys.argv[1:]])"
)
