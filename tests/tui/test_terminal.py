"""The command in a real terminal: tmux sends keys and tells what is on the screen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One terminal of 80 by 24."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-f", "/dev/null", "-L", f"bonito-{uuid.uuid4().hex[:8]}"]
        names = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
        given = [f"{name}={os.environ[name]}" for name in names]
        command = ["env", *given, sys.executable, "-m", "bonito_local"]
        self.run("new-session", "-d", "-x", "80", "-y", "24", "-c", str(folder), *command)

    def run(self, *command: str) -> str:
        return subprocess.run(
            [*self._tmux, *command], check=True, capture_output=True, text=True
        ).stdout

    def keys(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def shows(self, text: str, seconds: float = 30.0) -> str:
        """Wait until a text is on the screen; return all that is."""
        deadline = time.monotonic() + seconds
        while text not in (screen := self.run("capture-pane", "-p")):
            assert time.monotonic() < deadline, f"no {text!r} on:\n{screen}"
            time.sleep(0.05)
        return screen

    def ended(self) -> bool:
        found = subprocess.run([*self._tmux, "has-session"], capture_output=True, check=False)
        return found.returncode != 0

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def terminal(home: Path, job: Path) -> Iterator[Terminal]:
    opened = Terminal(home)
    yield opened
    opened.close()


def test_the_command_opens_the_app_reviews_and_leaves(terminal: Terminal, job: Path) -> None:
    from bonito_local.jobs.review import open_review

    screen = terminal.shows("6 accepted")
    assert screen.splitlines()[0].startswith(" bonito-local  Jobs")
    terminal.keys("r")
    terminal.shows("1 of 6 rows")
    terminal.shows("Which passage is this, of 1?")
    terminal.keys("a")
    terminal.shows("1 accepted")
    terminal.shows("2 of 6 rows")
    terminal.keys("Escape")
    terminal.shows("0 at work, 1 in all")
    terminal.keys("?")
    terminal.shows("Every job you have started")
    terminal.keys("Escape")
    terminal.shows("Tokens/s     Left")
    terminal.keys("q")
    deadline = time.monotonic() + 20
    while not terminal.ended():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    review = open_review(job)
    assert review.reviewed().accepted == 1
    review.close()


def test_python_code_of_the_app_has_no_network(home: Path) -> None:
    script = (
        "import socket\n"
        "from bonito_local.tui import app\n"
        "app.BonitoApp.run = lambda self: socket.create_connection(('127.0.0.1', 9), 1)\n"
        "app.run_app()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "AirGapError: Something tried to leave the air gap" in done.stderr


def test_on_windows_the_event_loop_has_its_own_two_sockets_and_no_others(home: Path) -> None:
    """What its event loop does when it starts, in Python, where nothing else makes a pair."""
    script = (
        "import socket, sys\n"
        "from bonito_local.tui import app\n"
        "def run(self):\n"
        "    with socket.socket() as waits, socket.socket() as wakes:\n"
        "        waits.bind(('127.0.0.1', 0))\n"
        "        waits.listen()\n"
        "        wakes.connect(waits.getsockname())\n"
        "        waits.accept()[0].close()\n"
        "    print('starts', flush=True)\n"
        "    socket.create_connection(('192.0.2.1', 9), 1)\n"
        "app.BonitoApp.run = run\n"
        "sys.platform = 'win32'\n"
        "app.run_app()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "starts\n", done.stderr
    assert "AirGapError: Something tried to leave the air gap" in done.stderr
