"""`bonito-local convert` and `verify`, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_checkpoint import write_adapter, write_checkpoint

from bonito_local.cli.main import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    model = write_checkpoint(folder / "base", layers=1)
    write_adapter(folder / "adapter", model)
    return folder


def arguments(made: Path, *more: object) -> list[str]:
    command = ["convert", made / "base", "--adapter", made / "adapter", *more]
    return [str(part) for part in command]


def test_convert_and_verify(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.gguf"
    assert run(arguments(made, "--quant", "q6_k", "-o", out, "--verify")) == 0
    printed = capfd.readouterr().out
    assert "out.gguf: 0.00 GB, Q6_K, in" in printed
    assert "top-1 agreement" in printed
    assert f"passed: {out}.verify.json" in printed
    report = json.loads((tmp_path / "out.gguf.verify.json").read_text())
    assert report["quant"] == "Q6_K"
    assert report["comparison"]["tokens"] > 1000
    assert run(["verify", str(out)]) == 0
    assert f"passed: {out}.verify.json" in capfd.readouterr().out
    assert run(["verify", str(out), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told == json.loads((tmp_path / "out.gguf.verify.json").read_text())
    assert (told["file"], told["passed"], told["comparison"]) == ("out.gguf", True, None)


def test_models_tells_what_a_file_was_made_from(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.gguf"
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    listing = ["models", "list", str(tmp_path)]
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    (tmp_path / "a.gguf.json").write_text("{not json")  # stops the listing of no other file
    assert run(arguments(made, "--merge-into", "nf4", "-o", out)) == 0
    for verified, said in (([], "not verified"), (["--source"], "verified, divergence 0.")):
        if verified:
            adapter = ["--adapter", str(made / "adapter"), "--merge-into", "nf4"]
            assert run(["verify", str(out), *verified, str(made / "base"), *adapter]) == 0
        capsys.readouterr()
        assert run(listing) == 0
        printed = capsys.readouterr().out
        assert f"Q4_K_M of base with adapter merged into nf4; {said}" in printed
        assert f"{tmp_path / 'other.gguf'}  (0 MB)  A GGUF file without a manifest." in printed
        assert "a.gguf.json is not a manifest." in printed
    with out.open("ab") as file:
        file.write(b"more")
    assert run(listing) == 0
    assert "CHANGED since it was made" in capsys.readouterr().out
    assert run(["models", "list", str(tmp_path / "nowhere")]) == 2


def test_verify_without_the_adapter_fails(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    assert run(arguments(made, "-o", out)) == 0
    assert run(["verify", str(out), "--source", str(made / "base")]) == 1


def test_dry_run_prints_the_plan_and_writes_nothing(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.gguf"
    assert run(arguments(made, "--merge-into", "nf4", "-o", out, "--dry-run")) == 0
    printed = capsys.readouterr().out
    assert "blk.0.attn_q.weight" in printed
    assert "Free in" in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "status", "line"),
    [
        ([], 2, "error: No output file was given."),
        (["--quant", "Q4_KM", "-o", "x.gguf"], 2, "Did you mean Q4_K_M?"),
        (["--imatrix", "absent.dat", "-o", "x.gguf"], 1, "absent.dat cannot be read"),
        (["-o", "absent/x.gguf"], 1, "The folder absent does not exist."),
    ],
)
def test_one_clear_line(
    more: list[str],
    status: int,
    line: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments(made, *more)) == status
    printed = capsys.readouterr().err
    assert line in printed
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())


def test_a_gguf_becomes_a_checkpoint(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, folder = str(tmp_path / "a.gguf"), str(tmp_path / "out")
    assert run(["convert", str(made / "base"), "--quant", "Q8_0", "-o", file]) == 0
    capsys.readouterr()
    half = ["--dtype", "float16"]
    assert run(["convert", file, "--to", "checkpoint", *half, "-o", folder]) == 0
    assert f"{folder}: 0.00 GB, in " in capsys.readouterr().out
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["LlamaForCausalLM"], "float16")
    assert run(["convert", folder, "-o", str(tmp_path / "b.gguf"), "--verify"]) == 0
    assert run(["convert", file, "--to", "checkpoint", "-o", folder]) == 1
    assert f"error: {folder} already exists." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--to", "checkpoint"], "error: No output folder was given."),
        (["--to", "checkpoint", "-o", "x", "--quant", "Q4_K_M"], "--quant does not go with --to"),
        (["--to", "checkpoint", "-o", "x", "--adapter", "y"], "--adapter does not go with --to"),
        (["--to", "checkpoint", "-o", "x", "--dry-run"], "--dry-run does not go with --to"),
        (["--to", "gguf", "-o", "x", "--dtype", "auto"], "--dtype does not go with --to gguf"),
        (["--to", "checkpoint", "-o", "x"], "base is a folder."),
    ],
)
def test_options_of_the_other_direction_are_refused(
    arguments: list[str],
    line: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["convert", str(made / "base"), *arguments]) == 2
    assert line in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_hub_name_is_for_pull(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "someone/some-model", "-o", "x.gguf"]) == 2
    assert "bonito-local models pull someone/some-model" in capsys.readouterr().err
