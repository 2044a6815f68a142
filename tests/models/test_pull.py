"""Models fetched from a hub on this machine, through the real `huggingface_hub`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hub_server import COMMIT, HubServer

from bonito_local.convert.pipeline import convert
from bonito_local.errors import BonitoError, DownloadError, LicenseError, UsageError
from bonito_local.models import store
from bonito_local.models.catalog import resolve_model
from bonito_local.models.fetching import Step
from bonito_local.models.offer import fetch, offer
from bonito_local.models.process import Pulling, Wanted

NAME = "someone/small-bonito"


def pull(quant: str = "Q8_0", **more: Any) -> tuple[Path, list[Step]]:
    steps: list[Step] = []
    return fetch(offer(NAME, quant=quant, **more), steps.append), steps


def shards(checkpoint: Path) -> list[Path]:
    found = sorted(checkpoint.glob("*.safetensors"))
    assert len(found) > 2
    return found


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_what_is_pulled_is_what_a_conversion_makes(
    hub_server: HubServer, checkpoint: Path, store_folder: Path, tmp_path: Path
) -> None:
    path, steps = pull()
    whole = convert(checkpoint, tmp_path / "whole.gguf", quant="Q8_0")
    # The licence alone is said in one and not in the other.
    assert path == store_folder / "small-bonito.gguf"
    assert path.stat().st_size - whole.output.bytes < 200
    size = sum(t.bytes for t in whole.tensors)
    assert path.read_bytes()[-size:] == (tmp_path / "whole.gguf").read_bytes()[-size:]
    made = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert (made["source"], made["revision"], made["licence"]) == (NAME, COMMIT, "apache-2.0")
    assert made["output"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [f["sha256"] for f in made["source_files"]] == [
        hashlib.sha256(shard.read_bytes()).hexdigest() for shard in shards(checkpoint)
    ]
    assert left(store_folder) == ["small-bonito.gguf", "small-bonito.gguf.json"]
    assert resolve_model("small-bonito").path == path
    assert steps[-1].fetched == steps[-1].to_fetch
    assert steps[-1].tensors == steps[-1].of_tensors == len(made["tensors"])
    assert [s.fetched for s in steps] == sorted(s.fetched for s in steps)


def test_no_more_than_one_shard_lies_on_the_disk(
    hub_server: HubServer, checkpoint: Path, store_folder: Path
) -> None:
    path, _ = pull("Q4_K_M")
    sizes = [shard.stat().st_size for shard in shards(checkpoint)]
    small = sum(p.stat().st_size for p in checkpoint.iterdir() if p.suffix != ".safetensors")
    room = path.stat().st_size + max(sizes) + small + 50_000
    assert hub_server.most_on_disk < room < sum(sizes)


def test_a_dropped_connection_is_gone_on_with(hub_server: HubServer, checkpoint: Path) -> None:
    shard = shards(checkpoint)[1]
    hub_server.faults[shard.name] = ["", "", "drop", "busy", "drop", "deaf"]
    pull()
    asked = hub_server.fetched(shard.name)
    half = shard.stat().st_size // 2
    assert asked[2] == ""
    assert asked[3] == asked[4] == f"bytes={half}-"
    assert len(asked) == 6


def test_a_pull_that_ended_goes_on_from_there(
    hub_server: HubServer, checkpoint: Path, store_folder: Path
) -> None:
    first, second, *_ = shards(checkpoint)
    hub_server.faults[second.name] = ["", "", "drop", *["gone"] * 9]
    with pytest.raises(DownloadError, match="is missing at the hub"):
        pull()
    assert not store.find("small-bonito")
    hub_server.faults.clear()
    hub_server.asked.clear()
    _, steps = pull()
    header = hub_server.fetched(first.name)
    assert header == ["bytes=0-7", header[1]]  # of the first shard nothing but its header
    assert hub_server.fetched(second.name)[2:] == [f"bytes={second.stat().st_size // 2}-"]
    assert hub_server.fetched("config.json") == []
    assert steps[-1].tensors == steps[-1].of_tensors
    (store_folder / "small-bonito.gguf").rename(store_folder / "again.gguf")
    assert pull()[0].read_bytes() == (store_folder / "again.gguf").read_bytes()


def test_another_type_begins_anew(hub_server: HubServer, checkpoint: Path) -> None:
    last = shards(checkpoint)[-1].name
    hub_server.faults[last] = ["", "", *["gone"] * 9]
    with pytest.raises(DownloadError):
        pull("Q8_0")
    hub_server.faults.clear()
    path, _ = pull("Q4_K_M")
    made = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert made["quant"] == "Q4_K_M"


@pytest.mark.parametrize("which", ["model-00002-of", "config.json", "tokenizer.json"])
def test_a_wrong_hash_leaves_nothing(
    hub_server: HubServer, checkpoint: Path, store_folder: Path, which: str
) -> None:
    name = next(p.name for p in checkpoint.iterdir() if p.name.startswith(which))
    hub_server.faults[name] = ["", "", "flip"] if which.startswith("model") else ["flip"]
    with pytest.raises(DownloadError, match="its hash is another"):
        pull()
    assert not store.find("small-bonito")
    assert f"{name}.part" not in left(store_folder)
    pull()


def test_what_was_damaged_on_the_disk_is_fetched_anew(
    hub_server: HubServer, checkpoint: Path, store_folder: Path
) -> None:
    first = shards(checkpoint)[0]
    folder = store.staging("small-bonito")
    folder.mkdir(parents=True)
    (folder / f"{first.name}.whole.part").write_bytes(b"other bytes" * 100)
    pull()
    assert hub_server.fetched(first.name)[2:] == ["bytes=1100-", ""]


def test_a_header_that_was_another_is_refused(
    hub_server: HubServer, checkpoint: Path, tmp_path: Path
) -> None:
    first = shards(checkpoint)[0].name
    hub_server.faults[first] = ["", "flip"]  # in the header's last byte, a bracket or a blank
    with pytest.raises(BonitoError, match=r"header|not valid JSON"):
        pull()


def test_a_hub_that_stays_away_is_given_up(hub_server: HubServer, checkpoint: Path) -> None:
    hub_server.faults["config.json"] = ["busy"] * 99
    with pytest.raises(DownloadError, match="The hub answers 503"):
        pull()
    assert len(hub_server.fetched("config.json")) == 6


def test_a_published_gguf_is_taken_as_it_is(
    hub_server: HubServer, tmp_path: Path, tiny_gguf: Path, store_folder: Path
) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    for quant in ("Q4_K_M", "Q8_0"):
        (folder / f"bonito.{quant}.gguf").write_bytes(tiny_gguf.read_bytes())
    hub_server.models["someone/published"] = folder
    offered = offer("someone/published", quant="Q8_0", name="ready")
    assert (offered.kind, offered.to_fetch) == ("bonito.Q8_0.gguf", tiny_gguf.stat().st_size)
    path = fetch(offered, lambda _: None)
    assert path.read_bytes() == tiny_gguf.read_bytes()
    made = json.loads(path.with_name("ready.gguf.json").read_text())
    assert made["source"] == "someone/published/bonito.Q8_0.gguf"
    with pytest.raises(DownloadError, match="no file of type Q6_K") as raised:
        offer("someone/published", quant="Q6_K")
    assert "bonito.Q4_K_M.gguf" in raised.value.remedy
    named = offer("someone/published", file="bonito.Q4_K_M.gguf")
    assert named.kind == "bonito.Q4_K_M.gguf"
    hub_server.faults["bonito.Q4_K_M.gguf"] = ["flip"]
    with pytest.raises(DownloadError, match="its hash is another"):
        fetch(named, lambda _: None)
    assert left(store_folder) == ["ready.gguf", "ready.gguf.json"]


@pytest.mark.parametrize(
    ("model", "more", "kind", "told"),
    [
        ("someone/unknown", {}, DownloadError, "The hub has no model 'someone/unknown'"),
        (NAME, {"revision": "gone"}, DownloadError, "has no such revision"),
        (NAME, {"quant": "Q4_KM"}, UsageError, "Unknown quantization"),
        (NAME, {"file": "a.gguf", "quant": "Q8_0"}, UsageError, "of one type as it is"),
        (NAME, {"name": "../up"}, UsageError, "cannot be a model's name"),
        (NAME, {"name": "bonito-small"}, UsageError, "comes with the package"),
        (NAME, {"file": "none.gguf"}, UsageError, "has no GGUF file"),
        ("bonito-v2", {}, UsageError, "Unknown model"),
        ("bonito-small", {}, UsageError, "nothing to fetch"),
        ("a/b/c", {}, DownloadError, "no name of a model"),
    ],
)
def test_what_cannot_be_fetched_is_said(
    hub_server: HubServer, model: str, more: dict[str, Any], kind: type[BonitoError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        offer(model, **more)


def test_a_model_that_is_here_is_not_fetched_again(hub_server: HubServer) -> None:
    pull()
    with pytest.raises(UsageError, match="There is a model small-bonito already"):
        offer(NAME)


def test_no_connection(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="The hub cannot be reached"):
        offer(NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE is set"):
        offer(NAME)


@pytest.mark.parametrize(
    ("licence", "gated", "asks"),
    [
        ("apache-2.0", False, False),
        ("llama3.1", False, True),
        ("", False, True),
        ("mit", "auto", True),
    ],
)
def test_a_licence_with_terms_is_to_be_accepted(
    hub_server: HubServer, licence: str, gated: object, asks: bool
) -> None:
    hub_server.licence, hub_server.gated = licence, gated
    offered = offer(NAME)
    assert offered.licence == licence
    if asks:
        with pytest.raises(LicenseError, match="licence"):
            offered.check_accepted(False)
    else:
        offered.check_accepted(False)
    offered.check_accepted(True)


def test_one_process_at_a_time_fetches_a_model(hub_server: HubServer, store_folder: Path) -> None:
    offered = offer(NAME, name="mine")
    locks = store.staging("mine").parent
    locks.mkdir(parents=True)
    with (
        FileLock(locks / "mine.lock"),
        pytest.raises(UsageError, match="mine is being fetched already"),
    ):
        fetch(offered, lambda _: None)
    assert fetch(offered, lambda _: None) == store.find("mine")


def test_a_token_goes_to_the_hub_alone(
    hub_server: HubServer, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull()
    authorized = {file for file, _, said in hub_server.asked if said}
    assert "config.json" in authorized
    assert not {name for name in authorized if name.endswith(".safetensors")}


def test_a_process_tells_how_far_it_is_and_can_be_ended(
    hub_server: HubServer, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    hub_server.licence = "llama3.1"
    refused = Pulling(Wanted(NAME, "Q8_0"))
    with pytest.raises(LicenseError, match=r"llama3\.1"):
        list(refused)
    refused.close()
    held = threading.Event()
    ended = Pulling(Wanted(NAME, "Q8_0", accepted=True))
    for step in ended:
        assert step.to_fetch > 0
        break
    ended.close()
    held.set()
    pulling = Pulling(Wanted(NAME, "Q8_0", accepted=True))
    steps = list(pulling)
    pulling.close()
    assert (pulling.name, pulling.kind) == ("small-bonito", "Q8_0")
    assert steps[-1].tensors == steps[-1].of_tensors > 0
    assert store.find("small-bonito")


def test_the_command(hub_server: HubServer, store_folder: Path) -> None:
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bonito_local", "models", *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL
        )

    hub_server.licence = "llama3.1"
    refused = run("pull", NAME)
    assert refused.returncode == 1
    assert "add --accept-license" in refused.stderr
    done = run("pull", NAME, "--name", "mine", "--quant", "q6_k", "--accept-license")
    assert done.returncode == 0, done.stderr
    assert "licence llama3.1" in done.stderr
    assert "100 %" in done.stderr
    assert done.stdout.startswith("mine: ")
    listed = run("list", "--json")
    (mine,) = [m for m in json.loads(listed.stdout) if m["name"] == "mine"]
    assert (mine["quant"], mine["licence"], mine["place"]) == ("Q6_K", "llama3.1", "store")
    assert {m["name"] for m in json.loads(listed.stdout) if m["place"] == "hub"} == {
        "bonito-0.5b",
        "bonito-v1",
        "Llama-3.1-8B-bonito-v1",
    }
    assert run("verify", "mine").stdout.splitlines()[0] == f"mine  {store_folder / 'mine.gguf'}"
    (report,) = json.loads(run("verify", "--json").stdout)
    assert (report["file"], report["quant"], report["passed"]) == ("mine.gguf", "Q6_K", True)
    with (store_folder / "mine.gguf").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    changed = run("verify")
    assert changed.returncode == 1
    assert "not the one that its manifest describes" in changed.stderr
    assert run("verify", "--json").returncode == 1
    assert run("remove", "mine").returncode == 0
    assert list(store_folder.glob("*.gguf*")) == []
