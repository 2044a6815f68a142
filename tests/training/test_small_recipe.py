"""The recipe of bonito-small: what its rules make of questions, its mix, and a whole toy run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mixture import TEMPLATES, WEIGHTS, Mixture
from questions import Index, stands_alone
from rows import cased, load
from small_recipe_data import write
from statements import Forms, Verbs, forms, kind_of
from tiny_checkpoint import write_checkpoint

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.convert.pipeline import convert
from bonito_local.tasks import CONTEXT, TASK_TYPES

ROOT = Path(__file__).parents[2]
VERBS = Verbs(["they write and win and release and invent and produce and live and stop and use"])


@pytest.mark.parametrize(
    ("question", "answer", "yes_no", "statement"),
    [
        (
            "Who wrote the song?",
            "Ada Winter",
            "Did Ada Winter write the song?",
            "Ada Winter wrote the song.",
        ),
        (
            "What is the capital of Norway?",
            "Oslo",
            "Is Oslo the capital of Norway?",
            "Oslo is the capital of Norway.",
        ),
        (
            "When was the bridge built?",
            "1871",
            "Was the bridge built in 1871?",
            "The bridge was built in 1871.",
        ),
        ("When did the war end?", "May 8, 1945", "Did the war end on May 8, 1945?", ""),
        ("When did the war end?", "May 1945", "Did the war end in May 1945?", ""),
        ("Where did Lee surrender?", "Appomattox", "Did Lee surrender in Appomattox?", ""),
        (
            "How many people were killed in the fire?",
            "12",
            "Were 12 people killed in the fire?",
            "12 people were killed in the fire.",
        ),
        (
            "How many albums did she release in 2003?",
            "two",
            "Did she release two albums in 2003?",
            "",
        ),
        (
            "What was the law called?",
            "the Corn Law",
            "Was the law called the Corn Law?",
            "The law was called the Corn Law.",
        ),
        ("What did Bell invent?", "the telephone", "Did Bell invent the telephone?", ""),
    ],
)
def test_a_question_and_its_answer_become_forms(
    question: str, answer: str, yes_no: str, statement: str
) -> None:
    assert forms(question, answer, VERBS) == Forms(yes_no, statement)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Why was the law called so?", "because of corn"),
        ("What was Ada Winter known for?", "songs"),
        ("Who was Napoleon?", "emperor"),
        ("What did the king do?", "fled"),
        ("When was the land between the rivers claimed?", "slowly"),
    ],
)
def test_an_unknown_form_gives_nothing(question: str, answer: str) -> None:
    assert forms(question, answer, VERBS) is None


def test_answers_have_a_kind() -> None:
    kinds = [kind_of(a) for a in ("1990", "May 1945", "12", "Ada Winter", "a wet summer")]
    assert kinds == ["year", "date", "number", "name", "phrase"]


def test_a_question_stands_alone_or_not() -> None:
    assert stands_alone("When did Darwin publish his book on species?")
    assert not stands_alone("When did he publish it?")
    assert not stands_alone("What is this passage about?")
    assert not stands_alone("What is it?")


def test_a_question_leads_back_to_its_text() -> None:
    index = Index(["The harbour was built in 1801.", "The museum was sold.", "Rain fell."])
    assert index.rank("When was the harbour built?", 0) == 1
    assert index.rank("When was the harbour built?", 2) == 3


def test_names_get_their_capitals_from_the_text() -> None:
    text = "Near the town, the Teton Dam broke. It was in Idaho, a state."
    assert cased("when did the teton dam break in idaho?", text) == (
        "when did the Teton Dam break in Idaho?"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data"))


def test_the_mix_is_balanced_varied_and_about_its_passages(data: Path) -> None:
    groups = Mixture(load(data), seed=1).groups()
    drawn = [next(groups) for _ in range(600)]
    assert {group.task for group in drawn} == set(WEIGHTS) <= {t.short for t in TASK_TYPES}
    labels: dict[str, Counter[str]] = {}
    for group in drawn:
        for instruction, response in group.rows:
            assert "{" not in instruction.replace(CONTEXT, "")
            if group.task == "exqa":
                assert response in group.passage
            labels.setdefault(group.task, Counter())[response] += 1
    for task in ("ynqa", "te"):
        yes, no = labels[task]["yes"], labels[task]["no"]
        assert set(labels[task]) == {"yes", "no"}
        assert abs(yes - no) <= 0.05 * (yes + no)
    assert set(labels["nli"]) == {"entailment", "contradiction", "neutral"}


def test_no_wording_has_over_a_fifth_of_its_task_types_rows() -> None:
    assert all(len(set(wordings)) >= 6 for wordings in TEMPLATES.values())
    assert set(TEMPLATES) == set(WEIGHTS)


def test_every_step_runs_once(data: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model", layers=1)
    convert(tmp_path / "model", tmp_path / "base.gguf", quant="F16")
    out = tmp_path / "out"
    small = {"ROWS": "60", "STEPS": "1", "RANK": "4", "PASSAGES": "3"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [ROOT / "recipes/small/run.sh", data, tmp_path / "base.gguf", out]
    done = subprocess.run(
        command, env=os.environ | small | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "measured.json").read_text())["passages"] == 3
    written = read_metadata(out / "bonito-small.gguf")
    assert written["general.name"] == "bonito-small"
    assert str(written["bonito.task_types"]).split(",") == list(WEIGHTS)
