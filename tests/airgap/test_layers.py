"""Each layer alone, in a process of its own: by how many roads can it still get out?"""

import json
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket

import pytest

from bonito_local.airgap import probe
from bonito_local.airgap.layers import AUDIT, LANDLOCK, NAMESPACE, SECCOMP

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")

NAMESPACE_ALONE = (
    "from bonito_local.airgap.namespaces import enter_namespace as e; e(loopback={lo})"
)
SECCOMP_ALONE = 'from bonito_local.airgap.seccomp import filter_calls as f; f("{sockets}")'
AUDIT_ALONE = "from bonito_local.airgap.audit import refuse_sockets as r; r(local={local})"

# Each road ends in True where it got out. The last two start a program that tries.
ROADS = """
import ctypes, json, socket, subprocess, sys, urllib.request
TCP, UDP = {tcp}, {udp}

def connect():
    socket.create_connection(("127.0.0.1", TCP), timeout=5).close()

def sendto():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", UDP))

def bind():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))

def getaddrinfo():
    socket.getaddrinfo("127.0.0.1", TCP)

def urllib_request():
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{{TCP}}", timeout=0.5)
    except TimeoutError:
        pass  # the listener says nothing

def ipv6():
    socket.socket(socket.AF_INET6).close()

def libc_connect():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.socket(2, 1, 0)
    there = (2).to_bytes(2, sys.byteorder) + TCP.to_bytes(2, "big") + bytes([127, 0, 0, 1])
    if fd < 0 or libc.connect(fd, there.ljust(16, b"\\0"), 16):
        raise OSError(ctypes.get_errno(), "libc")

def another_python():
    code = f"import socket; socket.create_connection(('127.0.0.1', {{TCP}}), timeout=5)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

def bash():
    code = f"exec 3<>/dev/tcp/127.0.0.1/{{TCP}}"
    subprocess.run(["bash", "-c", code], check=True, capture_output=True)

def io_uring():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 4, bytes(120)) < 0:
        raise OSError(ctypes.get_errno(), "io_uring")

out = {{}}
for road in (connect, sendto, bind, getaddrinfo, urllib_request, ipv6, libc_connect,
             another_python, bash, io_uring):
    try:
        road()
        out[road.__name__] = True
    except Exception as error:
        out[road.__name__] = type(error).__name__
print(json.dumps(out))
"""


def tried(layer: str) -> dict[str, str | bool]:
    """What a child that entered `layer` met on each road."""
    with closing(socket()) as tcp, closing(socket(AF_INET, SOCK_DGRAM)) as udp:
        for sock in (tcp, udp):
            sock.bind(("127.0.0.1", 0))
        tcp.listen(16)
        roads = ROADS.format(tcp=tcp.getsockname()[1], udp=udp.getsockname()[1])
        code = f"{layer}\n{textwrap.dedent(roads)}"
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    found: dict[str, str | bool] = json.loads(ended.stdout)
    return found


def got_out(layer: str) -> set[str]:
    return {road for road, ended in tried(layer).items() if ended is True}


def test_without_a_layer_every_road_is_open() -> None:
    ended = tried("")
    ended.pop("io_uring")  # a container may refuse it
    ended.pop("ipv6")  # a machine may have none
    assert set(ended.values()) == {True}


@LINUX
def test_an_empty_network_namespace_leaves_nobody_to_reach() -> None:
    # Sockets can be made and bound there, and names of numbers looked up; nothing leaves it.
    harmless = {"bind", "getaddrinfo", "ipv6", "io_uring"}
    assert got_out(NAMESPACE_ALONE.format(lo=False)) <= harmless
    assert got_out(NAMESPACE_ALONE.format(lo=True)) <= harmless | {"sendto"}  # to itself


@LINUX
def test_a_seccomp_filter_refuses_every_socket() -> None:
    ended = tried(SECCOMP_ALONE.format(sockets="none"))
    # The parser of numbers in getaddrinfo needs no socket.
    assert {road for road, how in ended.items() if how is True} <= {"getaddrinfo"}
    assert ended["connect"] == ended["libc_connect"] == ended["io_uring"] == "PermissionError"


@LINUX
def test_a_seccomp_filter_can_leave_unix_sockets() -> None:
    code = SECCOMP_ALONE.format(sockets="unix")
    assert got_out(code) <= {"getaddrinfo"}
    made = "import socket; socket.socket(socket.AF_UNIX); socket.socketpair()"
    subprocess.run([sys.executable, "-c", f"{code}\n{made}"], check=True)
    for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
        other = f"{code}\nimport socket; socket.socket(socket.{family}, socket.SOCK_RAW)"
        ended = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
        assert "PermissionError: [Errno 13]" in ended.stderr


@LINUX
def test_a_seccomp_filter_can_refuse_programs() -> None:
    code = (
        "from bonito_local.airgap.seccomp import filter_calls as f; f(programs=False)\n"
        "import os; os.execv('/bin/true', ['true'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "PermissionError: [Errno 13]" in ended.stderr


@LINUX
def test_a_seccomp_filter_holds_the_threads_there_are() -> None:
    code = f"""
import socket, threading
go, done = threading.Event(), []
def wait():
    go.wait()
    try:
        socket.socket()
    except PermissionError:
        done.append("refused")
thread = threading.Thread(target=wait)
thread.start()
{SECCOMP_ALONE.format(sockets="none")}
go.set()
thread.join()
print(done)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "['refused']\n"


def test_the_audit_hook_holds_python_code() -> None:
    ended = tried(AUDIT_ALONE.format(local=False))
    held = ("connect", "sendto", "bind", "getaddrinfo", "urllib_request")
    assert {ended[road] for road in held} == {"AirGapError"}
    # And no more than that: this is why it is the weakest layer.
    assert ended["libc_connect"] is True
    assert ended["another_python"] is True


def test_the_audit_hook_can_leave_what_stays_on_this_machine() -> None:
    ended = tried(AUDIT_ALONE.format(local=True))
    assert ended["connect"] is True
    code = f"""
{AUDIT_ALONE.format(local=True)}
import socket
from bonito_local.airgap.audit import attempts
from bonito_local.errors import AirGapError
for host in ("192.0.2.1", "2001:db8::1", "example.invalid"):
    try:
        socket.create_connection((host, 80), timeout=1)
    except AirGapError:
        continue
print(attempts)
"""
    ended_too = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ended_too.stdout == str(["socket.getaddrinfo"] * 3) + "\n"


@LINUX
def test_all_layers_together() -> None:
    assert got_out("from bonito_local import airgap; airgap.enter()") == set()


@LINUX
def test_files_and_ids_are_as_before_in_the_namespace(tmp_path: Path) -> None:
    """For root too, who reads what belongs to others."""
    (tmp_path / "own").write_text("own")
    (tmp_path / "own").chmod(0o600)
    code = f"""
import os
from pathlib import Path
ids = os.getuid(), os.getgid(), sorted(os.getgroups())
from bonito_local import airgap
airgap.enter()
assert ids == (os.getuid(), os.getgid(), sorted(os.getgroups())), ids
folder = Path({str(tmp_path)!r})
fd = os.open(folder / "new", os.O_CREAT | os.O_WRONLY, 0o600)
print(*[path.read_text() for path in sorted(folder.iterdir()) if path.stat().st_size])
"""
    import os

    others = os.geteuid() == 0
    if others:
        (tmp_path / "others").write_text("others")
        (tmp_path / "others").chmod(0o600)
        os.chown(tmp_path / "others", 1234, 1234)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.stdout == ("others own\n" if others else "own\n")
    made = (tmp_path / "new").stat()
    assert (made.st_mode & 0o777, made.st_uid) == (0o600, os.geteuid())


@LINUX
def test_what_was_started_inside_stays_inside_and_nests() -> None:
    code = (
        "import subprocess, sys; from bonito_local import airgap; print(airgap.enter())\n"
        "if len(sys.argv) < 4:\n"
        "    subprocess.run([sys.executable, '-c', sys.argv[1], *sys.argv[1:], 'x'], check=True)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, code], capture_output=True, text=True, check=True
    )
    assert set(ended.stdout.splitlines()) == {f"{NAMESPACE}, {SECCOMP}, {LANDLOCK}, {AUDIT}"}


@LINUX
def test_with_threads_there_is_no_namespace_but_the_filter() -> None:
    code = (
        "import threading, time; threading.Thread(target=time.sleep, args=(1,)).start()\n"
        "from bonito_local import airgap; held = airgap.enter(); print(held); print(*held.limits)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        f"{SECCOMP}, {LANDLOCK}, {AUDIT}",
        "No network namespace: the process has threads already. "
        "Threads from before are in no Landlock domain.",
    ]


def test_the_proof_compares_inside_with_outside() -> None:
    proof = probe.prove()
    assert proof.holds
    assert proof.reached == ()
    assert set(proof.control) <= set(proof.attempts)
    assert "TCP to this machine" in proof.control
    assert {"DNS", "TCP to a public address", "UDP to a public address"} <= set(proof.attempts)
    assert probe.Proof(proof.enforcement, {"DNS": "got through"}, proof.control).holds is False


def test_online_gives_nothing_up() -> None:
    code = (
        "import socket; from bonito_local import airgap; print(airgap.enter(online=True));"
        "socket.socket().bind(('127.0.0.1', 0)); print(airgap.active().online)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["none: the network was allowed", "True"]


def test_switches_are_set_and_secrets_of_the_network_forgotten() -> None:
    from bonito_local.airgap.switches import set_switches

    environment = {"HF_TOKEN": "secret", "HTTPS_PROXY": "http://me:pw@proxy", "HOME": "/home/me"}
    set_switches(environment)
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == "1"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["HOME"] == "/home/me"
    assert not {"HF_TOKEN", "HTTPS_PROXY"} & set(environment)
