"""Failures while converting: one clear line, and nothing at the output's name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf_reference import tensors
from safetensors.torch import load_file, save_file
from tiny_checkpoint import write_checkpoint

from bonito_local.convert.pipeline import convert
from bonito_local.convert.plan import make_plan
from bonito_local.convert.stream import Progress, _Tensor
from bonito_local.convert.writer import partial_path
from bonito_local.errors import ConvertError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    write_checkpoint(folder, layers=2)
    return folder


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_named(bad: float, base: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "bad", layers=2)
    weights = load_file(tmp_path / "bad" / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][300, 7] = bad
    save_file(weights, tmp_path / "bad" / "model.safetensors")
    with pytest.raises(ConvertError, match=r"blk.1.ffn_up.weight has NaN or infinite"):
        convert(tmp_path / "bad", tmp_path / "out.gguf")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad"]


def test_large_finite_weights_pass(tmp_path: Path) -> None:
    """Their float32 sum overflows, which must not count as infinite weights."""
    write_checkpoint(tmp_path / "base", layers=1)
    weights = load_file(tmp_path / "base" / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"].fill_(3e38)
    save_file(weights, tmp_path / "base" / "model.safetensors")
    convert(tmp_path / "base", tmp_path / "out.gguf", quant="BF16")
    kind, data = tensors(tmp_path / "out.gguf")["blk.0.ffn_up.weight"]
    assert kind == "BF16"
    assert torch.frombuffer(bytearray(data), dtype=torch.bfloat16).float().min() > 2.9e38


def test_existing_output_is_kept(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    out.write_text("mine")
    with pytest.raises(ConvertError, match="already exists"):
        convert(base, out)
    assert out.read_text() == "mine"


def test_missing_and_read_only_folders(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="does not exist"):
        convert(base, tmp_path / "absent" / "out.gguf")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(ConvertError, match="cannot be written to"):
        convert(base, locked / "out.gguf")


def test_what_the_blocks_of_a_tensor_share_goes_with_the_last(base: Path) -> None:
    plan = make_plan(base, merge_into="nf4", quant="Q8_0")
    tensor = _Tensor(next(one for one in plan.tensors if one.nf4), 0)
    scales = np.ones(4, np.float32)
    held = weakref.ref(scales)
    tensor.scales.set_result((scales, scales))
    del scales
    ends = [tensor.finish_block() for _ in tensor.blocks()]
    assert ends[-1]
    assert held() is None


def test_too_little_space(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = os.statvfs(tmp_path)
    nearly_full = type("Usage", (), {"free": 1000, "total": usage.f_blocks, "used": 0})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    with pytest.raises(ConvertError, match=r"GB free, but .* needed"):
        convert(base, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


def test_full_disk_while_writing(base: Path, tmp_path: Path) -> None:
    """A limit on file size fails a write as a full disk does."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from bonito_local.convert.pipeline import convert\n"
        "from bonito_local.errors import ConvertError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "try:\n"
        "    convert(Path(sys.argv[1]), Path(sys.argv[2]), quant='F16')\n"
        "except ConvertError as error:\n"
        "    sys.exit(f'caught: {error}')\n"
    )
    out = tmp_path / "out.gguf"
    done = subprocess.run(
        [sys.executable, "-c", script, base, out], capture_output=True, text=True, check=False
    )
    assert f"caught: {out} cannot be written" in done.stderr
    assert not list(tmp_path.iterdir())


def test_interrupt_leaves_nothing(base: Path, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(base, tmp_path / "out.gguf", progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_another_conversion_to_the_same_name_is_noticed(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"

    def begin_again(progress: Progress) -> None:
        partial_path(out).unlink()
        partial_path(out).write_bytes(b"another's")

    with pytest.raises(ConvertError, match=r"Another conversion is writing .*out\.gguf"):
        convert(base, out, progress=begin_again)
    assert not list(tmp_path.iterdir())


def test_kill_leaves_nothing_that_looks_whole_and_the_next_run_works(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", layers=12, ffn=2048)
    out = tmp_path / "out" / "out.gguf"
    out.parent.mkdir()
    script = (
        "import sys; from pathlib import Path\n"
        "from bonito_local.convert.pipeline import convert\n"
        "def say(progress): print(progress.tensors_done, flush=True)\n"
        "convert(Path(sys.argv[1]), Path(sys.argv[2]), progress=say)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "base"), str(out)]
    for lines in (1, 20, 60):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert not list(out.parent.glob("*.gguf"))
    convert(tmp_path / "base", out)
    assert sorted(p.name for p in out.parent.iterdir()) == ["out.gguf", "out.gguf.json"]
    convert(tmp_path / "base", tmp_path / "again.gguf")
    assert tensors(out) == tensors(tmp_path / "again.gguf")


def test_source_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "base", layers=40)  # more than is read ahead
    weights = tmp_path / "base" / "model.safetensors"

    def shrink(progress: Progress) -> None:
        os.truncate(weights, 20_000)

    with pytest.raises(ConvertError, match="became shorter"):
        convert(tmp_path / "base", tmp_path / "out.gguf", quant="F32", progress=shrink)
    assert not (tmp_path / "out.gguf").exists()
