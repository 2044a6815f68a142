"""The command on tiny real models and small sets: results, resuming, bad input."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkpoint import write_adapter, write_checkpoint

from bonito_local.backends.adapter import read_adapter
from bonito_local.backends.base import Request, Sample, Sampling
from bonito_local.backends.likelihood import Question
from bonito_local.backends.llamacpp.engine import LlamaCpp
from bonito_local.backends.llamacpp.scoring import Scorer
from bonito_local.backends.llamacpp.settings import Settings
from bonito_local.cli.main import run
from bonito_local.evaluation.metrics import mean_macro_f1, token_f1
from bonito_local.evaluation.results import read_drawn
from bonito_local.evaluation.sets import named_sets
from bonito_local.evaluation.templates import templates_of
from bonito_local.tasks import FORMS

Capture = pytest.CaptureFixture[str]
LABELS = ("yes", "no", "maybe")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("pubmedqa", "squadshifts-nyt"):
        rows = [
            {
                "id": n,
                "passage": f"Trial {n} had {n * 7} patients.",
                "question": f"Did {n} help?",
                **(
                    {"label": LABELS[n % 3]}
                    if name == "pubmedqa"
                    else {"answers": [f"{n * 7} patients", "patients"]}
                ),
            }
            for n in range(12)
        ]
        write(folder / f"{name}.jsonl", rows)
    return folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.fixture(scope="module")
def engine(tiny_gguf: Path) -> Iterator[LlamaCpp]:
    opened = LlamaCpp(tiny_gguf, Settings(n_seq=1))
    yield opened
    opened.close()


def evaluate(model: Path, data: Path, output: Path, *more: str) -> int:
    told = ["--data", str(data), "--prompt", "adapted", "-o", str(output)]
    return run(["evaluate", str(model), *told, *more])


def results(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "results.json").read_text())
    return found


def test_choices_are_those_of_most_probability(
    tiny_gguf: Path, data: Path, engine: LlamaCpp, tmp_path: Path
) -> None:
    assert evaluate(tiny_gguf, data, tmp_path / "out", "-s", "pubmedqa") == 0
    (found,) = results(tmp_path / "out")["sets"]
    (asked,) = named_sets("pubmedqa")
    items = asked.read(data / "pubmedqa.jsonl")
    drawn = read_drawn(tmp_path / "out")
    assert [(one.item, one.right) for one in drawn] == [(i.id, i.label) for i in items]
    labels = []
    with closing(Scorer(engine)) as scorer:
        for template in templates_of(asked):
            prompts = [template.fill(item, item.passage, asked.kind) for item in items]
            questions = [
                Question(FORMS["adapted"].wrap(prompt), template.choices, ends=True)
                for prompt in prompts
            ]
            logs = np.array(list(scorer.answers(questions)))
            labels.append(logs.argmax(1))
    for nth, one in enumerate(drawn):
        assert one.drawn == [LABELS[row[nth]] for row in labels]
    right = np.array([LABELS.index(item.label) for item in items])
    assert found["f1"] == round(100 * mean_macro_f1(right, np.array(labels), 3), 2)
    assert found["low"] <= found["f1"] <= found["high"]
    assert found["items"] == 12
    assert found["metric"] == "macro F1"
    assert len(found["templates"]) == 5


def test_spans_are_greedy_and_compared_with_the_first_answer(
    tiny_gguf: Path, data: Path, engine: LlamaCpp, tmp_path: Path
) -> None:
    assert evaluate(tiny_gguf, data, tmp_path / "out", "-s", "squadshifts-nyt", "--limit", "3") == 0
    (found,) = results(tmp_path / "out")["sets"]
    (asked,) = named_sets("squadshifts-nyt")
    items = {item.id: item for item in asked.read(data / "squadshifts-nyt.jsonl")}
    drawn = read_drawn(tmp_path / "out")
    assert len(drawn) == found["items"] == 3
    greedy = Sampling(temperature=0, max_tokens=25)
    first, best = [], []
    for one in drawn:
        item = items[one.item]
        for template, text in zip(templates_of(asked), one.drawn, strict=True):
            prompt = FORMS["adapted"].wrap(template.fill(item, item.passage, asked.kind))
            (alone,) = engine.generate([Request("", prompt, greedy, (Sample(0, 0),))])
            # Decoded together, a near-tie may fall otherwise.
            assert alone.text.strip()[:4] == text[:4]
            first.append(token_f1(text, item.answers[0]))
            best.append(max(token_f1(text, answer) for answer in item.answers))
    assert found["f1"] == pytest.approx(100 * np.mean(first), abs=0.01)
    assert found["best_f1"] == pytest.approx(100 * np.mean(best), abs=0.01)


def test_the_same_command_goes_on(
    tiny_gguf: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert evaluate(tiny_gguf, data, out, "-s", "pubmedqa", "--limit", "4") == 0
    first = results(out)["sets"][0]
    capsys.readouterr()
    assert evaluate(tiny_gguf, data, out, "--limit", "4") == 0
    both = results(out)["sets"]
    assert both[0] == first  # its seconds, too
    assert [one["name"] for one in both] == ["pubmedqa", "squadshifts-nyt"]
    shown = capsys.readouterr()
    assert "PubMedQA: " not in shown.err
    assert "SQuADShifts NYT: 20 prompts" in shown.err
    assert all(text in shown.out for text in ("PubMedQA", "macro F1", "mean", f"{first['f1']:.1f}"))
    assert {one.set for one in read_drawn(out)} == {"pubmedqa", "squadshifts-nyt"}
    for name in ("results.json", "drawn.jsonl"):
        assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
    assert evaluate(tiny_gguf, data, out, "--limit", "5", "--seed", "3") == 1
    assert "has results with another limit, seed." in capsys.readouterr().err
    assert results(out)["sets"] == both


def test_the_seed_draws_the_items(tiny_gguf: Path, data: Path, tmp_path: Path) -> None:
    drawn = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        more = ("-s", "pubmedqa", "--limit", "5", "--seed", seed)
        assert evaluate(tiny_gguf, data, tmp_path / name, *more) == 0
        drawn.append([one.item for one in read_drawn(tmp_path / name)])
    assert drawn[0] == drawn[1] != drawn[2]


def test_long_passages_are_shortened_and_counted(
    tiny_gguf: Path, tmp_path: Path, capsys: Capture
) -> None:
    long = "The court sat. " * 300 + "The tenant paid in full."
    rows = [
        {"id": 0, "passage": long, "question": "Did the tenant pay in full?", "label": "yes"},
        {"id": 1, "passage": "It did.", "question": "Did it?", "label": "yes"},
        {"id": 2, "passage": "It did.", "question": "word " * 500, "label": "no"},
    ]
    write(tmp_path / "pubmedqa.jsonl", rows)
    assert evaluate(tiny_gguf, tmp_path, tmp_path / "out") == 0
    (found,) = results(tmp_path / "out")["sets"]
    assert (found["items"], found["shortened"], found["left_out"]) == (2, 1, 1)
    shown = capsys.readouterr().out
    assert "1 of 2 passages were shortened to fit. 1 items were left out" in shown
    write(tmp_path / "pubmedqa.jsonl", rows[2:])
    assert evaluate(tiny_gguf, tmp_path, tmp_path / "none") == 1
    assert "No item of PubMedQA fits the model's context." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("-s", "pubmed"), 2, "Unknown evaluation set 'pubmed'"),
        (("-s", "vitaminc"), 2, "does not hold VitaminC"),
        (("--backend", "openai"), 2, "gives no probabilities"),
        (("--backend", "vlm"), 2, "Unknown backend 'vlm'"),
        (("--adapter", "x"), 2, "cannot give rows of an adapter"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_bad_input(
    tiny_gguf: Path,
    data: Path,
    tmp_path: Path,
    capsys: Capture,
    more: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    assert evaluate(tiny_gguf, data, tmp_path / "out", *more) == status
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_other_files_where_the_results_go(
    tiny_gguf: Path, data: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "results.json").write_text('{"rows": 3}')
    assert evaluate(tiny_gguf, data, tmp_path) == 1
    assert "holds no results of this program" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert evaluate(tiny_gguf, data, tmp_path / "file" / "out", "--limit", "2") == 1
    assert "error: " in capsys.readouterr().err


def test_a_checkpoint_with_an_adapter_in_a_process_of_its_own(data: Path, tmp_path: Path) -> None:
    """Behind the real air gap; nothing but our own words reaches the user."""
    model = write_checkpoint(tmp_path / "base", layers=1)
    write_adapter(tmp_path / "adapter", model)
    command = [sys.executable, "-m", "bonito_local", "evaluate", str(tmp_path / "base")]
    command += ["--data", str(data), "--prompt", "adapted", "--limit", "2"]
    command += ["--adapter", str(tmp_path / "adapter"), "-o", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr.splitlines() == [
        "backend: transformers, since the model is a checkpoint and there is no NVIDIA GPU",
        "PubMedQA: 10 prompts",
        "SQuADShifts NYT: 10 prompts",
    ]
    found = results(tmp_path / "out")
    assert found["about"]["adapter_sha256"] == read_adapter(tmp_path / "adapter").sha256
    assert [one["items"] for one in found["sets"]] == [2, 2]
