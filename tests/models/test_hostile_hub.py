"""A hub of a stranger: answers without end, sizes and hashes that lie, names that lead away."""

from __future__ import annotations

import gzip
import hashlib
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bonito_local.errors import DownloadError
from bonito_local.models import hub
from bonito_local.models.fetching import to_fetch

ESCAPE = "\x1b]0;owned\x07\x1b[2J"
DATA = b"0123456789" * 400
SHA256 = hashlib.sha256(DATA).hexdigest()
COMMIT = "c0ffee" + "0" * 34


def described(**changes: Any) -> dict[str, Any]:
    """What a hub says of a model of one file, with changes to that file or to the whole."""
    file: dict[str, Any] = {
        "rfilename": "m.Q4_K_M.gguf",
        "size": len(DATA),
        "blobId": "0" * 40,
        "lfs": {"sha256": SHA256, "size": len(DATA), "pointerSize": 135},
    }
    whole = {"id": "o/m", "sha": COMMIT, "gated": False, "cardData": {"license": "mit"}}
    file |= {name: value for name, value in changes.items() if name in file}
    return whole | {"siblings": [file]} | {k: v for k, v in changes.items() if k not in file}


class Hub:
    """What is answered to a look-up, and to a request for a file."""

    def __init__(self) -> None:
        self.about: bytes = json.dumps(described()).encode()
        self.headers: dict[str, str] = {}
        self.endless = b""
        self.pause = 0.0
        self.file = DATA
        self.file_headers: dict[str, str] = {}
        self.before = b""  # sent before the status, again and again
        self.file_status = 0
        self.bytes_each = 0  # of a file, for a connection; 0: all


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    with serving(found := Hub()) as url:
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(hub, "_SECONDS", 0.01)
        yield found


@contextmanager
def serving(found: Hub) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            about = self.path.startswith("/api/")
            with suppress(OSError):
                while found.before:
                    self.wfile.write(found.before)
                    time.sleep(0.01)
            headers = found.headers if about else found.file_headers
            body = found.about if about else found.file
            start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
            self.send_response(200 if about else found.file_status or (206 if start else 200))
            for name, value in headers.items():
                self.send_header(name, value)
            if not {"Content-Length", "Transfer-Encoding"} & set(headers):
                self.send_header("Content-Length", str(len(body) - (0 if about else start)))
            self.end_headers()
            with suppress(OSError):
                if found.endless and "Transfer-Encoding" in headers:
                    while True:
                        self.wfile.write(found.endless)
                        time.sleep(found.pause)
                end = start + found.bytes_each if found.bytes_each else None
                self.wfile.write(body if about else body[start:end])
            self.close_connection = True

    class Server(socketserver.ThreadingMixIn, HTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Clients that hang up are part of the tests."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def looked_up(served: Hub, **changes: Any) -> hub.Repo:
    served.about = json.dumps(described(**changes)).encode()
    return hub.look_up("o/m")


def test_a_sound_answer(served: Hub, tmp_path: Path) -> None:
    repo = looked_up(served)
    assert (repo.commit, repo.licence, list(repo.files)) == (COMMIT, "mit", ["m.Q4_K_M.gguf"])
    hub.fetch(repo, repo.files["m.Q4_K_M.gguf"], tmp_path / "m.gguf", lambda _: None)
    assert (tmp_path / "m.gguf").read_bytes() == DATA


@pytest.mark.parametrize(
    "changes",
    [
        {"rfilename": "../../../evil.Q4_K_M.gguf"},
        {"rfilename": "/etc/abs.Q4_K_M.gguf"},
        {"rfilename": "..\\evil.Q4_K_M.gguf"},
        {"rfilename": f"{ESCAPE}Q4_K_M.gguf"},
        {"rfilename": "a\nb.gguf"},
        {"rfilename": "C:evil.gguf"},
        {"rfilename": "n" * 600},
        {"rfilename": 5},
        {"size": -5},
        {"size": 10**30},
        {"size": "12"},
        {"size": 1.5},
        {"size": True},
        {"lfs": {"sha256": ["x"]}},
        {"lfs": {"sha256": "../../x"}},
        {"lfs": None, "blobId": "nohash"},
        {"sha": "../../../../etc"},
        {"sha": ESCAPE},
        {"sha": ["a"]},
        {"siblings": None},
        {"siblings": {"a": 1}},
        {"siblings": [None]},
    ],
    ids=range(22),
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], served: Hub) -> None:
    with pytest.raises(DownloadError):
        looked_up(served, **changes)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b"<html>", b"", b"5", b"null", b"9" * 5000], ids=range(6)
)
def test_an_answer_that_is_none_is_refused(body: bytes, served: Hub) -> None:
    served.about = body
    with pytest.raises(DownloadError):
        hub.look_up("o/m")


def test_a_licence_is_one_short_line(served: Hub) -> None:
    assert looked_up(served, cardData={"license": ESCAPE}).licence.isprintable()
    assert len(looked_up(served, cardData={"license": "L" * 5_000_000}).licence) <= 200
    assert looked_up(served, cardData={"license": ["mit", "bsd"]}).licence == "mit, bsd"
    assert looked_up(served, cardData={"license": ["mit", {"a": 1}]}).licence == ""
    assert looked_up(served, cardData=[1]).licence == ""


@pytest.mark.timeout(60)
def test_an_answer_without_end_is_broken_off(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    served.headers = {"Transfer-Encoding": "chunked"}
    served.endless = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with pytest.raises(DownloadError):
        hub.look_up("o/m")
    monkeypatch.setattr(hub, "_MOST_SECONDS", 0.5)
    served.endless, served.pause = b"1\r\n \r\n", 0.05
    with pytest.raises(DownloadError):
        hub.look_up("o/m")


def test_a_packed_answer_is_refused(served: Hub) -> None:
    """A bomb: it unpacks to a thousand times its size."""
    served.about = gzip.compress(b" " * 300_000_000)
    served.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(DownloadError):
        hub.look_up("o/m")


@pytest.mark.timeout(60)
def test_a_file_that_drips_or_never_ends(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = looked_up(served)
    file = repo.files["m.Q4_K_M.gguf"]
    served.file_headers = {"Transfer-Encoding": "chunked"}
    served.endless = b"1000\r\n" + b"0" * 4096 + b"\r\n"
    with pytest.raises(DownloadError, match="hash is another"):
        hub.fetch(repo, file, tmp_path / "m.gguf", lambda _: None)
    monkeypatch.setattr(hub, "_WINDOW", 0.5)
    served.endless, served.pause = b"1\r\n0\r\n", 0.05
    with pytest.raises(DownloadError, match="too slowly"):
        hub.fetch(repo, file, tmp_path / "m.gguf", lambda _: None)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("before", [b"HTTP/1.1 102 Processing\r\n\r\n", b"x"])
def test_headers_without_end_are_broken_off(
    before: bytes, served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = looked_up(served)
    monkeypatch.setattr(hub, "_MOST_SECONDS", 0.5)
    served.before = before
    with pytest.raises(DownloadError, match="does not begin"):
        hub.look_up("o/m")
    with pytest.raises(DownloadError, match="does not begin"):
        hub.fetch(repo, repo.files["m.Q4_K_M.gguf"], tmp_path / "m.gguf", lambda _: None)


@pytest.mark.timeout(60)
def test_a_byte_for_each_connection_is_broken_off(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = looked_up(served)
    monkeypatch.setattr(hub, "_SECONDS", 0.05)
    served.bytes_each = 1
    there: list[int] = []
    with pytest.raises(DownloadError, match="broke off"):
        hub.fetch(repo, repo.files["m.Q4_K_M.gguf"], tmp_path / "m.gguf", there.append)
    assert max(there) <= 10


def test_an_address_of_another_protocol_is_not_tried_again(
    served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = looked_up(served)
    monkeypatch.setattr(hub, "_SECONDS", 100.0)
    served.file_status, served.file_headers = 302, {"Location": "file:///etc/passwd"}
    with pytest.raises(DownloadError, match="unsupported protocol"):
        hub.fetch(repo, repo.files["m.Q4_K_M.gguf"], tmp_path / "m.gguf", lambda _: None)


@pytest.mark.parametrize("packed", ["gzip", "zstd", "br"])
def test_a_packed_file_has_another_hash(packed: str, served: Hub, tmp_path: Path) -> None:
    repo = looked_up(served)
    served.file = gzip.compress(b"\0" * 3_000_000)[: len(DATA)].ljust(len(DATA), b"\0")
    served.file_headers = {"Content-Encoding": packed}
    with pytest.raises(DownloadError, match="hash is another"):
        hub.fetch(repo, repo.files["m.Q4_K_M.gguf"], tmp_path / "m.gguf", lambda _: None)


def test_a_model_of_small_files_without_end_is_refused(served: Hub) -> None:
    weights = {"rfilename": "model.safetensors", "size": 100, "lfs": {"sha256": SHA256}}
    small = [
        {"rfilename": f"a{i}.json", "size": 150_000_000, "blobId": "0" * 40} for i in range(2000)
    ]
    repo = looked_up(served, siblings=[weights, *small])
    with pytest.raises(DownloadError, match="files beside its weights"):
        to_fetch(repo, None)
