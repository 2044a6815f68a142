"""The kit for a GPU machine: what is packed arrives whole, and all of it runs at toy size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import gpu_measure
import needed
import parts
import prune
import pytest
from gpu_measure import Result, Step, choose, markdown, read_generate, read_tests, read_train
from settle import fitting_steps

from bonito_local.backends.llamacpp.gguf_file import read_metadata

ROOT = Path(__file__).parents[2]


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Three files of 0, 700 and 2,500 bytes in parts of at most 1,000."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, size in (("a", 700), ("b", 2500), ("empty", 0)):
        (folder / name).write_bytes(bytes(i % 251 for i in range(size)))
    manifest = parts.cut(folder, ["a", "b", "empty"], tmp_path / "parts", 1000)
    assert manifest["parts"] == 4
    return tmp_path


def test_parts_are_no_larger_than_told(packed: Path) -> None:
    for part in (packed / "parts").iterdir():
        chunks = [path for path in part.iterdir() if path.name != parts.MANIFEST]
        assert sum(path.stat().st_size for path in chunks) <= 1000


def test_files_are_joined_as_their_parts_arrive(packed: Path) -> None:
    arrived, out = packed / "arrived", packed / "out"
    arrived.mkdir()
    joined = []
    for number in (0, 2, 1, 3):
        (packed / f"parts/part-{number}").rename(arrived / f"part-{number}")
        missing = parts.join(arrived, out)
        joined.append((len(missing), sorted(path.name for path in out.iterdir())))
    assert joined == [(3, ["a"]), (2, ["a"]), (1, ["a"]), (0, ["a", "b", "empty"])]
    for path in out.iterdir():
        assert path.read_bytes() == (packed / "files" / path.name).read_bytes()


def test_a_part_that_is_not_whole_or_of_another_pack_is_refused(packed: Path) -> None:
    chunk = packed / "parts/part-1/b.1"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(SystemExit, match=r"b\.1 did not arrive whole"):
        parts.join(packed / "parts", packed / "out")
    assert not (packed / "out/b").exists()
    manifest = packed / "parts/part-1" / parts.MANIFEST
    manifest.write_text(manifest.read_text().replace('"parts": 4', '"parts": 5'))
    with pytest.raises(SystemExit, match="of different packs"):
        parts.join(packed / "parts", packed / "other")
    with pytest.raises(SystemExit, match="There is no part"):
        parts.join(packed / "nothing", packed / "other")


def test_the_wheel_keeps_the_libraries_of_one_gpu_and_the_cpu(tmp_path: Path) -> None:
    wheel, out = tmp_path / "bitsandbytes-1.whl", tmp_path / "out"
    out.mkdir()
    devices = ("cpu", "cuda118", "cuda130", "rocm64")
    names = [f"bitsandbytes/libbitsandbytes_{device}.so" for device in devices]
    record = "bitsandbytes-1.dist-info/RECORD"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("bitsandbytes/__init__.py", *names):
            archive.writestr(name, name)
        listed = ("bitsandbytes/__init__.py", *names, record)
        archive.writestr(record, "".join(f"{name},,\n" for name in listed))
    kept = {"bitsandbytes/__init__.py", names[0], names[2], record}
    with zipfile.ZipFile(prune.prune_wheel(wheel, out, "130")) as archive:
        assert set(archive.namelist()) == kept
        assert archive.read(names[2]).decode() == names[2]
        lines = archive.read(record).decode().splitlines()
    assert {line.split(",")[0] for line in lines} == kept
    with pytest.raises(SystemExit, match="no library for cuda999"):
        prune.prune_wheel(wheel, out, "999")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("CMakeLists.txt", True),
        ("llama_cpp/llama.py", True),
        ("vendor/llama.cpp/ggml/src/ggml.c", True),
        ("vendor/llama.cpp/ggml/src/ggml-cuda/common.cuh", True),
        ("vendor/llama.cpp/ggml/src/ggml-cuda/template-instances/mmq.cu", True),
        ("vendor/llama.cpp/vendor/miniaudio/CMakeLists.txt", True),
        ("vendor/llama.cpp/ggml/src/ggml-vulkan/ggml-vulkan.cpp", False),
        ("vendor/llama.cpp/models/ggml-vocab.gguf", False),
        ("vendor/llama.cpp/tools/server/server.cpp", False),
        ("examples/notebook.ipynb", False),
    ],
)
def test_the_sources_keep_what_the_build_reads(path: str, kept: bool) -> None:
    assert prune.keeps(path) is kept


def test_packages_are_brought_that_the_machine_may_lack() -> None:
    own = needed.dependencies(ROOT / "pyproject.toml")
    assert {"bitsandbytes", "click", "gguf", "torch"} <= own
    owners = {
        "click": ["click"],
        "functorch": ["torch"],
        "gguf": ["gguf"],
        "llama_cpp": ["llama_cpp_python"],
        "sympy": ["sympy"],
        "torch": ["torch"],
    }
    loaded = [*owners, "gguf.constants", "json"]
    assumed, brought = needed.sort_out(loaded, own, owners)
    assert assumed == ["click", "pytest", "pytest-timeout", "safetensors", "torch"]
    assert brought == ["diskcache", "gguf"]


def test_steps_fit_in_the_time() -> None:
    found = {"seconds_per_step": 0.1}
    assert fitting_steps(found, 105.1, 4800) == 1000
    assert fitting_steps(found, 10_000, 4800) == 4800
    assert fitting_steps(found, -3, 4800) == 1


def step(name: str, seconds: int, *, built: bool) -> Step:
    return Step(name, name, (), seconds, built, read_tests)


def test_steps_without_llama_cpp_go_first_while_it_is_built(tmp_path: Path) -> None:
    draw, train = step("draw", 20, built=True), step("train", 30, built=False)
    assert choose([draw, train], tmp_path, 100) == train
    assert choose([draw], tmp_path, 100) is None
    assert choose([draw], tmp_path, 10) == "left out: 10 s were left"
    assert choose([train], tmp_path, 10) == "left out: 10 s were left"
    (tmp_path / "build.failed").touch()
    assert str(choose([draw, train], tmp_path, 100)).startswith("left out: the build of llama.cpp")
    (tmp_path / "build.failed").unlink()
    (tmp_path / "llama").mkdir()
    assert choose([draw, train], tmp_path, 100) == draw
    assert choose([train, draw], tmp_path, 25) == draw


def test_what_the_benchmarks_print_is_read() -> None:
    assert read_tests("...\n7 passed, 2 deselected in 30.1s\n") == {
        "tests": "7 passed, 2 deselected in 30.1s"
    }
    printed = (
        "round 1: tokens a wall second ours 9000, trainer:1 800, trainer:16 4000; ratio 2.25\n"
        "  largest difference 0.0012\n  123.4 TFLOP/s; Trainer's memory 12500000000\n"
    )
    assert read_train(printed) == {
        "tokens/s": "ours 9000, trainer:1 800, trainer:16 4000",
        "ratio": "2.25",
        "largest difference of losses": "0.0012",
        "TFLOP/s": "123.4",
        "Trainer's memory, GB": "12.5",
    }
    table = (
        "| engine | rows/s | of the ceiling | ours is |\n|---|---|---|---|\n"
        "| bonito-local | 50.000 | 80% | 1.00 x |\n| create_completion | 5.000 | 8% | 10.00 x |\n"
    )
    found = read_generate(f"tuned in 12 s: 64 sequences\n{table}")
    assert found == {
        "bonito-local": "50.000 rows/s, 80% of the ceiling, ours is 1.00 x",
        "create_completion": "5.000 rows/s, 8% of the ceiling, ours is 10.00 x",
        "settings": "tuned in 12 s: 64 sequences",
    }
    result = Result("generate", "rows/s", "done", 12.3, found)
    lines = markdown([result, Result("train", "trainer", "failed")], {"gpu": "H200"}).splitlines()
    assert lines[4].startswith("| rows/s | done | 12 | bonito-local | 50.000 rows/s")
    assert lines[-1] == "| trainer | failed |  |  |  |"


def test_a_step_that_fails_or_takes_too_long_says_so(tmp_path: Path) -> None:
    python = sys.executable
    failing = Step("f", "f", ((python, "-c", "import sys; sys.exit(3)"),), 1, False, read_tests)
    slow = Step("s", "s", ((python, "-c", "import time; time.sleep(60)"),), 1, False, read_tests)
    log = tmp_path / "x.log"
    assert gpu_measure.run(failing, float("inf"), log).status.startswith("failed with status 3")
    assert gpu_measure.run(slow, 0, log).status == "out of time"


@pytest.mark.skipif(sys.platform != "linux", reason="the kit is for Linux")
def test_the_rehearsal_packs_trains_and_measures(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHON": sys.executable, "ONLY": "generate"}
    command = [ROOT / "recipes/gpu/rehearse.sh", tmp_path / "kit"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    work, out = tmp_path / "kit/work", tmp_path / "kit/out"
    settled = json.loads((work / "toy.settled").read_text())
    assert settled["trial_steps"] == 2
    assert f"steps = {settled['steps']}\n" in (work / "toy.toml").read_text()
    with tarfile.open(out / "toy.tar.00") as archive:
        assert {"adapter_model.safetensors", "training.json"} <= set(archive.getnames())
    record = json.loads((out / "second.json").read_text())
    (result,) = record["results"]
    assert (result["step"], result["status"]) == ("generate", "done")
    assert "bonito-local" in result["values"]
    assert "| rows/s, 135M base | done |" in (out / "second.md").read_text()
    assert len(list(out.iterdir())) <= 8
    brought = json.loads((work / "kit/packages.json").read_text())["brought"]
    assert {"bitsandbytes", "diskcache", "gguf"} <= set(brought)
    assert read_metadata(tmp_path / "kit/toy.gguf")["general.architecture"] == "llama"
