"""`bonito-local train` and `bonito-local ask`, as a person uses them: from rows to an answer."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_checkpoint import write_decided

from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.cli.main import run
from bonito_local.tasks import FORMS
from bonito_local.training import compute

Capture = pytest.CaptureFixture[str]

CONFIG = """
base = "base"
data = "rows.jsonl"
output = "{output}"
rank = 8
alpha = 16
learning_rate = 1e-2
batch = 8
steps = {steps}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_decided(folder / "base", width=64, ffn=128, heads=4, kv_heads=2)
    rows = [
        {"input": f"Colour of the {a}?", "output": b, "passage": f"The {a} is {b}, as a rule."}
        for a, b in (("sky", "blue"), ("grass", "green"), ("sun", "yellow"), ("night", "black"))
        for _ in range(4)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, steps in (("adapted", 60), ("tapt", 2), ("long", 100_000)):
        (folder / f"{name}.toml").write_text(CONFIG.format(output=name, steps=steps))
    return folder


@pytest.fixture(autouse=True)
def _computes_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure nothing: results may not depend on the machine."""
    monkeypatch.setattr(compute, "measure", lambda shape: (390.0, 150.0))


def test_from_rows_to_an_answer(folder: Path, capsys: Capture) -> None:
    assert run(["train", "adapt", str(folder / "adapted.toml")]) == 0
    told = capsys.readouterr()
    computed = "bfloat16: 390 against 150 GFLOP/s in float32"
    assert f"16 rows\nComputed in {computed}\n60 steps, loss" in told.out
    assert f"loading; computes in {computed}\n" in told.err
    assert "training 60/60: loss" in told.err
    words = told.out.splitlines()[-1].split()
    assert words[:2] == ["bonito-local", "convert"]
    assert "--merge-into nf4" in told.out
    gguf = folder / "adapted.gguf"
    assert run([*words[1:-1], str(gguf), "--quant", "F16"]) == 0
    capsys.readouterr()
    assert run(["ask", str(gguf), "Colour of the grass?"]) == 0
    assert capsys.readouterr().out == "green\n"


def test_questions_come_line_by_line(
    tiny_gguf: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "about.txt"
    about.write_text("The notice is short.\n")
    with (tmp_path / "in").open("w+") as questions:
        questions.write("one?\ntwo?\n\nthree?\n")
        questions.seek(0)
        monkeypatch.setattr(sys, "stdin", questions)
        arguments = ["--passage", str(about), "--max-tokens", "9"]
        assert run(["ask", str(tiny_gguf), *arguments]) == 0
    backend = LlamaCpp(tiny_gguf)
    wanted = []
    for asked in ("one?", "two?"):
        prompt = FORMS["adapted"].wrap(f"The notice is short.\n\n{asked}")
        sampling = Sampling(temperature=0.0, max_tokens=9, stop=("<|input|>",))
        (done,) = backend.generate([Request("q", prompt, sampling, (Sample(0, 0),))])
        wanted.append(done.text.strip())
    backend.close()
    assert capsys.readouterr().out == "".join(f"{text}\n" for text in wanted)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["no-such-model", "x"], 2, "Unknown model"),
        (["MODEL", "x", "--passage", "none.txt"], 2, "none.txt cannot be read"),
        (["MODEL", "x " * 2000], 2, "The prompt has"),
        (["MODEL", "x", "--temperature", "-1"], 2, "temperature"),
    ],
)
def test_what_cannot_be_asked(
    tiny_gguf: Path, arguments: list[str], status: int, said: str, capsys: Capture
) -> None:
    named = [str(tiny_gguf) if word == "MODEL" else word for word in arguments]
    assert run(["ask", *named]) == status
    assert said in capsys.readouterr().err


def test_training_on_passages(folder: Path, capsys: Capture) -> None:
    assert run(["train", "tapt", str(folder / "tapt.toml")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("4 rows\nComputed in")
    assert "\n2 steps" in out


def test_an_adapter_of_the_bases_own_weights_is_merged_into_those(
    folder: Path, capsys: Capture
) -> None:
    config = CONFIG.format(output="own", steps=1)
    (folder / "own.toml").write_text(f'{config}weights = "base"\n')
    assert run(["train", "adapt", str(folder / "own.toml")]) == 0
    assert "--merge-into bf16 -o own.gguf\n" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["bonito", "adapt", "tapt"])
def test_help_and_wrong_names(kind: str, capsys: Capture) -> None:
    assert run(["train", kind, "--help"]) == 0
    assert "--dry-run" in capsys.readouterr().out
    assert run(["train", f"{kind}t", "x.toml"]) == 2
    assert f"Did you mean '{kind}'?" in capsys.readouterr().err


def test_a_bad_file_is_refused_before_anything_is_loaded(folder: Path) -> None:
    (folder / "bad.toml").write_text('base = "base"\ndata = "rows.jsonl"\nouput = "x"\n')
    code = (
        "import sys; from bonito_local.cli.main import run; "
        f"status = run(['train', 'adapt', {str(folder / 'bad.toml')!r}]); "
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"error: {folder / 'bad.toml'}: The key ouput is not known.",
        "Did you mean 'output'?",
    ]


def test_a_run_in_the_air_gap_goes_on_after_ctrl_c_and_a_kill(folder: Path) -> None:
    output = folder / "long"
    command = [sys.executable, "-m", "bonito_local", "train", "adapt", str(folder / "long.toml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def started() -> subprocess.Popen[str]:
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)

    def until(said: str, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if said in line:
                return
        raise AssertionError(said)

    first = started()
    until("training", first)
    first.send_signal(signal.SIGINT)
    _, rest = first.communicate(timeout=120)
    assert first.returncode == 130
    assert "The same command goes on from here." in rest
    stopped = json.loads((output / "log.jsonl").read_text().splitlines()[-1])["step"]
    assert "network namespace" in json.loads((output / "training.json").read_text())["air_gap"]
    second = started()
    until("training", second)
    time.sleep(0.5)
    second.kill()
    second.communicate(timeout=60)
    assert (output / "checkpoint.pt").exists()
    last = json.loads((output / "log.jsonl").read_text().splitlines()[-1])["step"]
    assert last >= stopped
