"""Models that are made here: an adapter merged into a base from a hub on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, HubServer
from tiny_checkpoint import write_adapter, write_checkpoint

from bonito_local import airgap
from bonito_local.backends.llamacpp.gguf_file import read_header
from bonito_local.cli.main import run
from bonito_local.convert.adapter import open_adapter
from bonito_local.convert.architectures import Architecture
from bonito_local.convert.dequantize import to_checkpoint
from bonito_local.convert.pipeline import convert
from bonito_local.errors import (
    BonitoError,
    ConvertError,
    DownloadError,
    LicenseError,
    ModelError,
    UsageError,
)
from bonito_local.models import bundle, catalog, merging, process, store
from bonito_local.models import offer as offers
from bonito_local.models.catalog import CATALOG, CatalogModel, resolve_model
from bonito_local.models.fetching import Step
from bonito_local.models.merging import Recipe
from bonito_local.models.offer import fetch, offer

REPO, BASE, NAME = "someone/base-GGUF", "base-q4_k_m.gguf", "bonito-merged"
GAP_KEPT = """
import json, socket, sys
from bonito_local.models import catalog, offer
catalog.CATALOG = offer.CATALOG = (catalog.CatalogModel(**json.loads(sys.argv[1])),)
from bonito_local.cli.main import run
print(run(["models", "pull", "bonito-merged", "--quant", "Q8_0", "--base", sys.argv[2]]))
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[3])))
except Exception as error:
    print(type(error).__name__)
"""


@dataclass(frozen=True)
class Made:
    """A base as a GGUF, an adapter for it, and what a conversion makes of both, by type."""

    base: Path
    entry: CatalogModel
    expected: dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Do not write to it."""
    folder = tmp_path_factory.mktemp("merging")
    model = write_checkpoint(folder / "original", family="qwen2", layers=2)
    base = folder / "published" / BASE
    base.parent.mkdir()
    convert(folder / "original", base, quant="Q4_K_M")
    base.with_name(f"{BASE}.json").unlink()
    write_adapter(folder / "adapter", model, r=16)
    checkpoint = folder / Path(BASE).stem
    to_checkpoint(base, checkpoint, dtype="bfloat16")
    entry = CatalogModel(
        NAME,
        "A model for tests.",
        "cc-by-sa-4.0",
        repo=REPO,
        config=json.loads((checkpoint / "config.json").read_text()),
        adapter=str(folder / "adapter"),
        base_file=BASE,
        base_sha256=hashlib.sha256(base.read_bytes()).hexdigest(),
        metadata={
            "general.name": NAME,
            "bonito.passage_tokens": 48,
            "bonito.task_types": "exqa,ynqa",
        },
    )
    expected = {}
    for quant in ("Q8_0", "Q4_K_M"):
        out = folder / f"{quant}.gguf"
        metadata = {"general.license": "cc-by-sa-4.0", **entry.metadata}
        convert(checkpoint, out, adapters=[folder / "adapter"], quant=quant, metadata=metadata)
        expected[quant] = out.read_bytes()
    return Made(base, entry, expected)


@pytest.fixture
def entry(made: Made, monkeypatch: pytest.MonkeyPatch, store_folder: Path) -> CatalogModel:
    """The catalog's only model."""
    use(monkeypatch, made.entry)
    return made.entry


@pytest.fixture
def hub(made: Made, entry: CatalogModel, hub_server: HubServer) -> HubServer:
    """With the base, too."""
    hub_server.models[REPO] = made.base.parent
    return hub_server


def use(monkeypatch: pytest.MonkeyPatch, entry: CatalogModel) -> None:
    monkeypatch.setattr(catalog, "CATALOG", (entry,))
    monkeypatch.setattr(offers, "CATALOG", (entry,))


def pull(**options: Any) -> tuple[Path, list[Step]]:
    steps: list[Step] = []
    return fetch(offer(NAME, **{"quant": "Q8_0"} | options), steps.append), steps


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def disk_with(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


@pytest.mark.parametrize("quant", ["Q8_0", "Q4_K_M"])
def test_the_model_is_what_a_conversion_of_base_and_adapter_makes(
    quant: str, hub: HubServer, made: Made, store_folder: Path
) -> None:
    path, steps = pull(quant=quant)
    assert path == store_folder / f"{NAME}.gguf"
    assert path.read_bytes() == made.expected[quant]
    assert left(store_folder) == [f"{NAME}.gguf", f"{NAME}.gguf.json"]
    assert resolve_model(NAME).path == path
    manifest = json.loads(path.with_name(f"{path.name}.json").read_text())
    assert manifest["output"]["sha256"] == hashlib.sha256(made.expected[quant]).hexdigest()
    assert manifest["output"]["name"] == path.name
    assert (manifest["source"], manifest["revision"]) == (f"{REPO}/{BASE}", COMMIT)
    size = made.base.stat().st_size
    assert manifest["source_files"] == [
        {"name": BASE, "bytes": size, "sha256": made.entry.base_sha256}
    ]
    weights = made.entry.adapter_path / "adapter_model.safetensors"
    assert [file["sha256"] for file in manifest["adapter_files"]] == [
        hashlib.sha256(weights.read_bytes()).hexdigest()
    ]
    assert (manifest["quant"], manifest["licence"]) == (quant, "cc-by-sa-4.0")
    metadata = read_header(path).metadata
    assert metadata["general.license"] == "cc-by-sa-4.0"
    assert metadata.items() >= made.entry.metadata.items()
    counts = [(step.fetched, step.tensors) for step in steps]
    assert counts == sorted(counts)
    assert steps[-1].fetched == steps[-1].to_fetch == size
    assert steps[-1].tensors == steps[-1].of_tensors == 2 * len(manifest["tensors"])


def test_a_base_of_the_users_own_needs_no_hub(
    hub: HubServer,
    made: Made,
    store_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "downloaded.gguf"
    shutil.copy(made.base, file)
    entered = []
    monkeypatch.setattr(airgap, "enter", lambda **_: entered.append("gap"))
    command = ["models", "pull", NAME, "--quant", "q8_0", "--base", str(file), "--name", "mine"]
    assert run(command) == 0
    path = store_folder / "mine.gguf"
    assert path.read_bytes() == made.expected["Q8_0"]
    assert file.read_bytes() == made.base.read_bytes()
    assert (entered, hub.asked) == (["gap"], [])
    assert left(store_folder) == ["mine.gguf", "mine.gguf.json"]
    printed = capsys.readouterr()
    assert "fetches nothing, makes mine (Q8_0)" in printed.err
    assert "licence of mine: cc-by-sa-4.0" in printed.err
    assert "100 %" in printed.err
    assert printed.out == f"mine: {path.stat().st_size / 1e6:.0f} MB, {path}\n"
    manifest = json.loads((store_folder / "mine.gguf.json").read_text())
    assert (manifest["source"], manifest["revision"]) == (f"{REPO}/{BASE}", None)
    assert manifest["source_files"][0]["name"] == BASE


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's air gap is Linux's")
def test_a_base_of_the_users_own_is_merged_in_the_air_gap(
    hub: HubServer, made: Made, store_folder: Path
) -> None:
    fields = {name: getattr(made.entry, name) for name in made.entry.__dataclass_fields__}
    port = hub.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-c", GAP_KEPT, json.dumps(fields), str(made.base), port],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["0", "AirGapError"]
    assert (store_folder / f"{NAME}.gguf").read_bytes() == made.expected["Q8_0"]


def test_another_file_at_the_hub_is_refused_before_it_is_fetched(
    hub: HubServer, made: Made, store_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    hub.models[REPO] = tmp_path / "other"
    for name in (BASE, "base-q8_0.gguf"):
        (tmp_path / "other" / name).write_bytes(b"GGUF" + bytes(100))
        with pytest.raises(DownloadError, match=rf"{BASE} of {REPO} is not the base") as raised:
            pull()
        assert made.entry.base_sha256 in raised.value.remedy
        (tmp_path / "other" / name).unlink()
    assert "\n" not in str(raised.value)
    assert [file for file, *_ in hub.asked if file.endswith(".gguf")] == []
    assert left(store_folder) == []


def test_another_file_of_the_users_is_refused(
    entry: CatalogModel, made: Made, store_folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(made.base.read_bytes() + b"\0")
    with pytest.raises(
        ModelError, match=r"other\.gguf is not the base that the adapter of"
    ) as wrong:
        pull(base=other)
    assert entry.base_sha256 in wrong.value.remedy
    with pytest.raises(ConvertError, match=r"none\.gguf cannot be read: No such file"):
        pull(base=tmp_path / "none.gguf")
    assert left(store_folder) == []


def test_a_file_that_was_changed_on_its_way_is_thrown_away(
    hub: HubServer, store_folder: Path
) -> None:
    hub.faults[BASE] = ["flip"]
    with pytest.raises(DownloadError, match="its hash is another"):
        pull()
    assert left(store_folder) == []


def test_an_interrupted_download_goes_on_from_there(
    hub: HubServer, made: Made, store_folder: Path
) -> None:
    hub.faults[BASE] = ["drop", *["gone"] * 9]
    with pytest.raises(DownloadError, match="is missing at the hub"):
        pull()
    assert left(store_folder) == [f"{BASE}.part"]
    hub.faults.clear()
    hub.asked.clear()
    path, steps = pull()
    half = made.base.stat().st_size // 2
    assert hub.fetched(BASE) == [f"bytes={half}-"]
    assert steps[0].fetched == half
    assert path.read_bytes() == made.expected["Q8_0"]


def test_a_base_that_is_here_is_not_fetched_again(
    hub: HubServer, made: Made, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(merging, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pull()
    assert left(store_folder) == [BASE]
    # What a run that was killed leaves behind is in nobody's way.
    killed = store.staging(NAME) / "work" / Path(BASE).stem
    killed.mkdir(parents=True)
    hub.asked.clear()
    assert pull()[0].read_bytes() == made.expected["Q8_0"]
    assert hub.fetched(BASE) == []
    assert left(store_folder) == [f"{NAME}.gguf", f"{NAME}.gguf.json"]


def test_too_little_room_is_noticed_before_anything_is_fetched(
    hub: HubServer, made: Made, store_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = offer(NAME, quant="Q8_0")
    disk_with(monkeypatch, offered.disk - 1)
    with pytest.raises(ConvertError, match="GB free, but"):
        fetch(offered, lambda _: None)
    assert hub.fetched(BASE) == []
    # Half of the base is here: so much less is needed.
    half = made.base.read_bytes()[: made.base.stat().st_size // 2]
    (store.staging(NAME) / f"{BASE}.part").write_bytes(half)
    disk_with(monkeypatch, offered.disk - len(half))
    assert fetch(offered, lambda _: None).read_bytes() == made.expected["Q8_0"]


def test_a_local_base_needs_room_for_checkpoint_and_model(
    entry: CatalogModel, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = offer(NAME, quant="Q8_0", base=made.base)
    assert (offered.to_fetch, offered.repo) == (0, None)
    disk_with(monkeypatch, offered.disk - 1)
    with pytest.raises(ConvertError, match="GB free, but"):
        fetch(offered, lambda _: None)
    disk_with(monkeypatch, offered.disk)
    assert fetch(offered, lambda _: None).read_bytes() == made.expected["Q8_0"]


def test_a_disk_that_fills_up_leaves_the_base_alone(
    hub: HubServer, made: Made, store_folder: Path
) -> None:
    resource = pytest.importorskip("resource", reason="limits of Unix")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may be larger than the base is: the checkpoint cannot be written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (made.base.stat().st_size, hard))
    try:
        with pytest.raises(ConvertError, match="cannot be written: File too large"):
            pull()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left(store_folder) == [BASE]
    assert pull()[0].read_bytes() == made.expected["Q8_0"]


def test_the_disk_that_is_reckoned_with_is_what_it_takes(
    hub: HubServer, made: Made, store_folder: Path
) -> None:
    most = 0

    def watch(_: Step) -> None:
        nonlocal most
        sizes = [path.stat().st_size for path in store_folder.rglob("*") if path.is_file()]
        most = max(most, sum(sizes))

    offered = offer(NAME, quant="Q8_0")
    fetch(offered, watch)
    assert 0.95 * offered.disk < most <= offered.disk


def test_an_adapter_of_another_base_is_refused(
    hub: HubServer,
    made: Made,
    store_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = write_checkpoint(tmp_path / "wider", family="qwen2", ffn=768, layers=2)
    write_adapter(tmp_path / "adapter", model, r=16)
    use(monkeypatch, replace(made.entry, adapter=str(tmp_path / "adapter")))
    with pytest.raises(ConvertError, match=r"changes .* but the base has \[512, 256\]") as raised:
        pull()
    assert "trained on another base" in raised.value.remedy
    assert left(store_folder) == [BASE]


@pytest.mark.parametrize("gone", ["adapter_model.safetensors", "adapter_config.json"])
def test_an_installation_without_the_adapter(
    gone: str, hub: HubServer, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.entry.adapter_path, tmp_path / "adapter")
    (tmp_path / "adapter" / gone).unlink()
    use(monkeypatch, replace(made.entry, adapter=str(tmp_path / "adapter")))
    for base in (None, made.base):
        with pytest.raises(ModelError, match=f"lacks the adapter of {NAME}"):
            pull(base=base)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            "someone/base-GGUF",
            {"base": Path("b.gguf")},
            "has no adapter: --base does not go with it",
        ),
        (NAME, {"file": "b.gguf", "quant": None}, "--file does not go with bonito-merged"),
        (NAME, {"revision": "main", "base": Path("b.gguf")}, "--revision does not go with --base"),
        (NAME, {"quant": "Q4_KM"}, "Unknown quantization"),
        (NAME, {"name": "../up"}, "cannot be a model's name"),
    ],
)
def test_options_that_do_not_go_together(
    hub: HubServer, model: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        offer(model, **options)


def test_the_licence_to_accept_is_that_of_what_is_fetched(hub: HubServer, made: Made) -> None:
    offered = offer(NAME)
    assert (offered.name, offered.licence) == (NAME, "cc-by-sa-4.0")
    offered.check_accepted(False)
    hub.licence = "llama3.1"
    with pytest.raises(LicenseError, match=rf"{REPO} has the licence llama3\.1"):
        offer(NAME).check_accepted(False)
    offer(NAME, base=made.base).check_accepted(False)


def test_the_type_is_what_suits_this_machine(hub: HubServer) -> None:
    offered = offer(NAME)
    assert offered.kind in {"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M"}
    assert "fits" in offered.why


def test_it_is_listed_bundled_and_removed_as_any_model(
    hub: HubServer, store_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "list"]) == 0
    assert f"{NAME}  (not here)  A model for tests." in capsys.readouterr().out
    with pytest.raises(BonitoError, match=f"There is no model {NAME} in the store") as missing:
        bundle._models([NAME])
    assert f"`bonito-local models pull {NAME}`" in missing.value.remedy
    path, _ = pull()
    assert run(["models", "list", "--json"]) == 0
    listed = {model["name"]: model for model in json.loads(capsys.readouterr().out)}
    assert listed[NAME]["place"] == "store"
    assert listed[NAME]["licence"] == "cc-by-sa-4.0"
    assert listed[NAME]["summary"] == f"Q8_0 of {REPO}/{BASE} with adapter merged into bf16"
    assert run(["models", "verify", NAME]) == 0
    assert bundle._models([NAME]) == {
        f"models/{NAME}.gguf": path,
        f"models/{NAME}.gguf.json": path.with_name(f"{NAME}.gguf.json"),
    }
    assert run(["models", "remove", "-y", NAME]) == 0
    assert left(store_folder) == []


def test_the_apps_process_tells_how_far_it_is(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    request = json.dumps({"model": NAME, "quant": "Q8_0", "accepted": False}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(request)))
    assert process.main() == 0
    first, *steps = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"name": NAME, "kind": "Q8_0"}
    last = Step(**steps[-1])
    assert (last.share, last.tensors) == (1.0, last.of_tensors)
    assert Step("a", 0, 0, 1, 4).share == 0.25
    assert Step("a", 1, 2, 1, 4).share == 0.5


def test_the_packages_own_entry_names_a_file_at_the_hub() -> None:
    (model,) = [each for each in CATALOG if each.adapter]
    assert (model.name, model.licence) == ("bonito-0.5b", "cc-by-sa-4.0")
    assert model.base_file.endswith(".gguf")
    assert len(bytes.fromhex(model.base_sha256)) == 32
    assert model.metadata["general.name"] == model.name
    # A checkpoint of 630 million weights in bfloat16, and the model.
    assert Recipe(model, Path("base.gguf")).disk("Q4_K_M") == pytest.approx(1.78e9, rel=0.01)


@pytest.mark.parametrize("model", [m for m in CATALOG if m.adapter], ids=lambda m: m.name)
def test_an_adapter_that_the_package_has_fits_its_base(model: CatalogModel) -> None:
    if not model.adapter_path.exists():
        pytest.skip("the adapter is not in this checkout")
    files = [path.stat().st_size for path in model.adapter_path.iterdir()]
    assert sum(files) <= 20_000_000
    shapes = Architecture.from_config(model.config).shapes()
    updates = open_adapter(model.adapter_path).updates
    assert {name: update.shape for name, update in updates.items()}.items() <= shapes.items()
