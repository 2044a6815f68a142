"""The recipe of bonito-tiny, each of its programs once, from the model of the tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_recipe_data import write

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.cli.main import run

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "data" / "bonito-tiny.gguf"


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a program of the recipe in this process."""

    def call(name: str, **options: object) -> None:
        told = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        monkeypatch.setattr(sys, "argv", [name, *told])
        import_module(name).main()

    return call


def test_its_programs_hand_over_to_each_other(
    tmp_path: Path, program: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    data, base, rows = write(tmp_path / "data"), tmp_path / "base", tmp_path / "rows"
    program("pretrain", data_dir=data, out=base, minutes=0.001, tokens=512, start=MODEL)
    program("ctga", data_dir=data, out=rows, rows=120)
    assert len(rows.read_text().splitlines()) == 120
    told = f'base = "{base}"\ndata = "{rows}"\noutput = "adapter"\nrank = 32\nalpha = 32\n'
    (tmp_path / "qlora.toml").write_text(f"{told}batch = 4\nsteps = 1\ninput_tokens = 192\n")
    assert run(["train", "bonito", str(tmp_path / "qlora.toml")]) == 0
    adapter, file = tmp_path / "adapter", tmp_path / "bonito-tiny.gguf"
    program("export", base=base, adapter=adapter, out=file)
    capsys.readouterr()
    program("evaluate", data_dir=data, model=file, passages=4)
    found = json.loads(capsys.readouterr().out)
    assert found["passages"] == 4
    assert found["exqa"]["parsed"] > 0
    out = tmp_path / "preferred"
    program(
        "prefer",
        data_dir=data,
        base=base,
        adapter=adapter,
        rows=rows,
        out=out,
        rounds=2,
        passages=8,
        steps=1,
    )
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["round"] for line in log] == [1, 2]
    assert all(line["pairs"] for line in log)
    one, two, mean = (
        load_file(out / name / "adapter_model.safetensors")
        for name in ("adapter-1", "adapter-2", "adapter")
    )
    assert any(not torch.equal(one[name], two[name]) for name in one)
    for name, tensor in mean.items():
        assert torch.equal(tensor, ((one[name].float() + two[name].float()) / 2).to(tensor.dtype))
    written = read_metadata(out / "bonito-tiny.gguf")
    assert written["general.name"] == "bonito-tiny"
    assert written["bonito.task_types"] == read_metadata(MODEL)["bonito.task_types"]
