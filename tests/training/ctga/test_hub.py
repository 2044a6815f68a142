import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from promptsource_checkout import checkout, map_, rte, squad, write_parquet

from bonito_local.training.ctga.build import Limits, build
from bonito_local.training.ctga.hub import fetch
from bonito_local.training.ctga.paper import paper_datasets, plan_paper

COMMIT = "c0ffee" + "0" * 34
REVISION = "revision/refs/convert/parquet"


class _Handler(BaseHTTPRequestHandler):
    """A hub of datasets, as `huggingface_hub` speaks with one: a folder of theirs each."""

    folder: Path
    asked: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).strip("/").removeprefix("api/")
        name, _, rest = path.removeprefix("datasets/").partition("/")
        self.asked.append(path)
        home = self.folder / name
        files = sorted(p for p in home.rglob("*") if p.is_file())
        if rest == REVISION and home.is_dir():
            self.say(json.dumps({"id": name, "sha": COMMIT, "siblings": []}).encode(), body)
        elif rest == f"tree/{COMMIT}":
            tree = [
                {"type": "file", "path": str(p.relative_to(home)), "size": p.stat().st_size}
                | {"oid": hashlib.sha1(p.read_bytes()).hexdigest()}
                for p in files
            ]
            self.say(json.dumps(tree).encode(), body)
        elif (file := home / rest.removeprefix(f"resolve/{COMMIT}/")) in files:
            self.say(file.read_bytes(), body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def say(self, data: bytes, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Handler]]:
    """The real `huggingface_hub` of this process asks it, with two of the paper's datasets."""
    from huggingface_hub import constants

    folder = tmp_path / "hub"
    for split, rows in (("train", map_(squad, 0, 30)), ("test", map_(squad, 30, 40))):
        write_parquet(folder / "squad" / "plain_text" / split / "0000.parquet", rows)
    write_parquet(folder / "super_glue/rte/partial-train/0000.parquet", map_(rte, 0, 20))
    write_parquet(folder / "super_glue/cb/train/0000.parquet", map_(rte, 0, 20))
    (folder / "quail").mkdir()
    handler = type("Handler", (_Handler,), {"folder": folder, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield handler
        server.shutdown()
        thread.join()


def test_what_is_missing_is_fetched_and_no_more(hub: type[_Handler], tmp_path: Path) -> None:
    data, said = tmp_path / "data", list[str]()
    wanted = ["squad", "super_glue/rte", "quail", "race"]
    failed = fetch(paper_datasets(wanted), data, said.append)
    assert [line.split()[1] for line in said] == ["quail", "squad", "race/all", "super_glue/rte"]
    assert [(one.dataset, one.why.split(":")[0]) for one in failed] == [
        ("quail", "the hub has no Parquet copy of it"),
        ("race/all", "it cannot be downloaded"),
    ]
    assert sorted(str(p.relative_to(data)) for p in data.rglob("*") if p.is_file()) == [
        "squad/plain_text/train/0000.parquet",
        "super_glue/rte/partial-train/0000.parquet",
    ]
    plan = plan_paper(data, checkout(tmp_path / "promptsource"), ["squad", "super_glue/rte"])
    found = build(plan, tmp_path / "rows", Limits(), 0)
    assert found.read == {"squad": 30, "super_glue/rte": 20}
    hub.asked.clear()
    assert fetch(paper_datasets(["squad", "super_glue/rte"]), data, said.append) == []
    assert hub.asked == []


def test_a_hub_that_is_not_there_is_told(tmp_path: Path) -> None:
    failed = fetch(paper_datasets(["squad"]), tmp_path, lambda _: None)
    assert [(one.dataset, one.why.split(":")[0]) for one in failed] == [
        ("squad", "it cannot be downloaded")
    ]
