"""A model hub over real HTTP, as `huggingface_hub` speaks with one, with faults to order."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMMIT = "c0ffee" + "0" * 34
_LARGE = (".safetensors", ".gguf")


@dataclass
class HubServer:
    """Models by name, each a folder. `faults` are taken one a request for that file's bytes.

    "drop" sends half of what is asked for and hangs up, "deaf" ignores the range, "flip" sends
    another byte, "gone" answers 404, "busy" 503.
    """

    models: dict[str, Path] = field(default_factory=dict)
    licence: str = "apache-2.0"
    gated: Any = False
    faults: dict[str, list[str]] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # file, range, authorization
    sent: int = 0
    most_on_disk: int = 0
    watched: Path | None = None

    def info(self, name: str) -> dict[str, Any]:
        siblings = []
        for path in sorted(self.models[name].iterdir()):
            data = path.read_bytes()
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            entry: dict[str, Any] = {"rfilename": path.name, "size": len(data), "blobId": blob}
            if path.name.endswith(_LARGE):
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 135}
            siblings.append(entry)
        return {
            "_id": "1",
            "id": name,
            "modelId": name,
            "sha": COMMIT,
            "private": False,
            "gated": self.gated,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "cardData": {"license": self.licence} if self.licence else {},
            "siblings": siblings,
        }

    def fetched(self, name: str) -> list[str]:
        """The ranges that were asked of a file's bytes."""
        return [asked for file, asked, _ in self.asked if file == name]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: HubServer

    def handle_error(self, *_: object) -> None:
        """Whoever hangs up, as a cancelled pull does, is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and "tree" in parts:
            self.answer_tree("/".join(parts[2:4]))
        elif parts[:2] == ["api", "models"]:
            self.answer_info("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "cdn":
            self.answer_bytes("/".join(parts[1:3]), parts[3])
        else:
            self.answer_file("/".join(parts[:2]), parts[-1])

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer_tree(self, name: str) -> None:
        tree = []
        for told in self.server.hub.info(name)["siblings"]:
            entry = {"type": "file", "path": told["rfilename"], "size": told["size"]}
            entry["oid"] = told["blobId"]
            if lfs := told.get("lfs"):
                entry["lfs"] = {**lfs, "oid": lfs["sha256"]}
            tree.append(entry)
        self.say(200, json.dumps(tree).encode())

    def answer_info(self, name: str, revision: list[str]) -> None:
        if name not in self.server.hub.models:
            self.refuse(404, "RepoNotFound")
        elif revision and revision[1] not in ("main", COMMIT):
            self.refuse(404, "RevisionNotFound")
        else:
            self.say(200, json.dumps(self.server.hub.info(name)).encode())

    def answer_file(self, name: str, file: str) -> None:
        if file.endswith(_LARGE) and (self.server.hub.models[name] / file).exists():
            port = self.server.server_port
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{port}/cdn/{name}/{file}")
            if self.command == "HEAD":
                data = (self.server.hub.models[name] / file).read_bytes()
                self.send_header("X-Linked-Size", str(len(data)))
                self.send_header("X-Linked-Etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.answer_bytes(name, file)

    def answer_bytes(self, name: str, file: str) -> None:
        wanted = self.headers.get("Range", "")
        self.server.hub.asked.append((file, wanted, self.headers.get("Authorization", "")))
        faults = self.server.hub.faults.get(file, [])
        fault = faults.pop(0) if faults else ""
        path = self.server.hub.models[name] / file
        if fault == "gone" or not path.exists():
            self.refuse(404, "EntryNotFound")
            return
        if fault == "busy":
            self.refuse(503, "")
            return
        data, status = path.read_bytes(), 200
        if wanted and fault != "deaf":
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            data, status = data[int(start) : int(end) + 1 if end else None], 206
        if fault == "flip":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.say(status, data, len(data) // 2 if fault == "drop" else len(data))

    def say(self, status: int, data: bytes, most: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(data[:most])
        self.server.hub.sent += len(data[:most])
        if self.server.hub.watched is not None:
            there = [p.stat().st_size for p in self.server.hub.watched.rglob("*") if p.is_file()]
            self.server.hub.most_on_disk = max(self.server.hub.most_on_disk, sum(there))
        if most is not None and most < len(data):
            self.close_connection = True

    def refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()


@contextmanager
def serve_hub(hub: HubServer) -> Iterator[HubServer]:
    """Serve it on a free port of this machine; large files are redirected to another name of it."""
    with _Server(("127.0.0.1", 0), _Handler) as listening:
        listening.hub = hub
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        hub.url = f"http://127.0.0.1:{listening.server_port}"
        try:
            yield hub
        finally:
            listening.shutdown()
            thread.join()
