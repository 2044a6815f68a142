"""The one address that a job may be allowed: reached by it, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest
from served import Served, serving
from written import SENTENCE

from bonito_local.airgap.layers import AUDIT, LANDLOCK, NAMESPACE, SECCOMP

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")
CLOSED = f"{NAMESPACE}, {SECCOMP}, {LANDLOCK}, {AUDIT}"

# Enters but for the first port, and tells what it can still reach.
ENTERING = """
import ctypes, json, os, socket, sys, threading
from bonito_local import airgap
allowed, other = int(sys.argv[1]), int(sys.argv[2])
held = airgap.enter(endpoint=("127.0.0.1", allowed))
found = {"held": str(held)}

def tried(name, road):
    try:
        found[name] = road()
    except Exception as error:
        found[name] = type(error).__name__

def asked():
    with airgap.connect(("127.0.0.1", allowed), 5) as sock:
        sock.sendall(b"GET /v1/models HTTP/1.0\\r\\n\\r\\n")
        return sock.recv(12).decode()

def reconnected():
    libc = ctypes.CDLL(None, use_errno=True)
    there = (2).to_bytes(2, sys.byteorder) + other.to_bytes(2, "big") + bytes([127, 0, 0, 1])
    with airgap.connect(("127.0.0.1", allowed), 5) as sock:
        gone = (0).to_bytes(16, "big")  # AF_UNSPEC takes a connection apart
        return [libc.connect(sock.fileno(), a.ljust(16, b"\\0"), 16) for a in (gone, there)]

def opened():
    return ctypes.CDLL(None).socket(2, 1, 0)

tried("asked", asked)
tried("again", asked)
threads = [threading.Thread(target=tried, args=(f"thread {i}", asked)) for i in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
tried("another", lambda: airgap.connect(("127.0.0.1", other), 5))
tried("plain", lambda: socket.create_connection(("127.0.0.1", allowed), 5))
tried("native", opened)
tried("reconnected", reconnected)
print(json.dumps(found))
"""


@LINUX
def test_only_that_address_can_be_reached() -> None:
    with serving(Served()) as server, closing(socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        other.settimeout(0.2)
        ports = [server.url.rsplit(":", 1)[1], str(other.getsockname()[1])]
        ended = subprocess.run(
            [sys.executable, "-c", ENTERING, *ports], capture_output=True, text=True, check=True
        )
        with pytest.raises(TimeoutError):
            other.accept()
    found = json.loads(ended.stdout)
    assert found.pop("held") == f"{CLOSED}, open to 127.0.0.1:{ports[0]}"
    assert (found.pop("native"), found.pop("reconnected")) == (-1, [-1, -1])
    assert (found.pop("another"), found.pop("plain")) == ("AirGapError", "AirGapError")
    assert len(found) == 10
    assert set(found.values()) == {"HTTP/1.1 200"}


@LINUX
def test_the_process_outside_ends_with_the_one_inside() -> None:
    code = (
        "import os, signal; from bonito_local import airgap\n"
        "airgap.enter(endpoint=('127.0.0.1', 9))\n"
        "print(open(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    # Its end is the end of the pipe, which the one outside holds open too.
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert ended.returncode == -9


def test_where_nobody_listens_the_reason_comes_back() -> None:
    code = (
        "from bonito_local import airgap\n"
        "airgap.enter(endpoint=('127.0.0.1', 1))\n"
        "try: airgap.connect(('127.0.0.1', 1), 5)\n"
        "except ConnectionRefusedError: print('refused')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout == "refused\n", ended.stderr


def command(folder: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / "documents").mkdir(exist_ok=True)
    for name in "abc":
        (folder / "documents" / f"{name}.txt").write_text(f"In lease {name}. {SENTENCE}")
    program = [sys.executable, "-m", "bonito_local", "generate", str(folder / "documents")]
    options = ["-t", "qa", "-o", str(folder / "out"), "--model", "bonito", "--endpoint", url]
    return subprocess.run(
        [*program, *options, "--backend", "openai", *more],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        timeout=300,
    )


@LINUX
def test_a_job_of_a_server_is_in_the_air_gap(tmp_path: Path) -> None:
    with serving(Served()) as server:
        ended = command(tmp_path, server.url)
    assert ended.returncode == 0, ended.stderr
    assert "warning" not in ended.stderr
    ledger = json.loads((tmp_path / "out" / "ledger.json").read_text())
    # Before that it was asked whether it completes anything.
    assert ledger["planned"] == len(server.asked) - 1 > 2
    assert ledger["air_gap"] == [f"{CLOSED}, open to {server.url.removeprefix('http://')}"]


def test_a_job_of_a_server_elsewhere_needs_a_flag(tmp_path: Path) -> None:
    ended = command(tmp_path, "http://192.0.2.1:8080")
    assert ended.returncode == 2
    assert "192.0.2.1 is not this machine: your passages would leave it." in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_job_without_its_server_is_one_error(tmp_path: Path) -> None:
    ended = command(tmp_path, "http://127.0.0.1:1")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2:] == [
        "error: No server answers at http://127.0.0.1:1: nothing listens there.",
        "Start it, or correct --endpoint.",
    ]
