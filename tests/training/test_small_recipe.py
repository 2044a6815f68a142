"""The recipe of bonito-small: what its rules make of questions, its mix, and a whole toy run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import outputs
import pytest
from close import closest, taught
from mixture import Mixture
from outputs import NOT_STATED, TASKS, exqa, parse, ynqa
from questions import Index, plain_clause, stands_alone
from rows import asked_by_rules, lines, load
from rules import Rules
from small_recipe_data import write
from sources import Paragraph, Question
from statements import Forms, Verbs, forms, kind_of, wrong_answer
from tiny_checkpoint import write_checkpoint
from windows import cut, holder, is_evidence
from writers import SHARES

from bonito_local.backends.llamacpp.gguf_file import read_metadata
from bonito_local.convert.pipeline import convert
from bonito_local.tasks import TASK_TYPES

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
        ("What were the losses in 2013?", "12 %"),
        ("What was the last year when the town won?", "1990"),
    ],
)
def test_an_unknown_form_gives_nothing(question: str, answer: str) -> None:
    assert forms(question, answer, VERBS) is None


def test_answers_have_a_kind() -> None:
    kinds = [kind_of(a) for a in ("1990", "May 1945", "12", "12%", "$3", "Ada Winter", "wet days")]
    assert kinds == ["year", "date", "number", "%", "$", "name", "phrases"]
    assert kind_of("May") == "month"
    assert kind_of("12 days") == "amount"


def test_a_wrong_answer_could_be_right() -> None:
    others = ["a law", "1801", "3%", "Bernard Holt"]
    assert wrong_answer("Ada Winter", others, Random(1)) == "Bernard Holt"
    assert wrong_answer("the 1950s", [], Random(1)) in {f"the 19{d}0s" for d in "23467"}


def test_a_question_stands_alone_or_not() -> None:
    assert stands_alone("When did Darwin publish his book on species?")
    assert not stands_alone("When did he publish it?")
    assert not stands_alone("What is this passage about?")
    assert not stands_alone("What is it?")
    assert not stands_alone("The daughters of Ada Winter were named Elsie May and what?")


def test_a_question_leads_back_to_its_text() -> None:
    index = Index(["The harbour was built in 1801.", "The museum was sold.", "Rain fell."])
    assert index.rank("When was the harbour built?", 0) == 1
    assert index.rank("When was the harbour built?", 2) == 3


PARAGRAPH = Paragraph(
    (
        "The old harbour of Alderby was built in 1801.",
        "The museum of Alderby was closed in 1801 by its owner.",
        "It has seven rooms.",
    ),
    "squad",
    "Alderby",
    (Question("When was the harbour of Alderby built?", "1801"),),
)


def test_the_sentence_of_an_answer_speaks_of_what_is_asked() -> None:
    assert holder(PARAGRAPH, PARAGRAPH.questions[0]) == 0
    assert holder(PARAGRAPH, Question("What happened in Alderby?", "1801")) is None
    assert holder(PARAGRAPH, Question("How many rooms does the museum have?", "seven")) is None


def test_evidence_is_one_whole_sentence() -> None:
    assert is_evidence('He called it "the last of the bridges" in a letter.')
    assert not is_evidence("53. Among the visitors was a singer of the town.")
    assert not is_evidence("It was sold to the town. he also bought it back.")
    assert not is_evidence("He called it the last of the bridges:")


def test_a_passage_has_the_names_of_its_questions() -> None:
    more = Question("When did Holt build the old harbour of Alderby?", "1801")
    longer = (*PARAGRAPH.sentences, "It stands beside the market and is open on all Sundays.")
    asked = (*PARAGRAPH.questions, more)
    passage = cut(Paragraph(longer, "squad", "Alderby", asked), Random(1))
    assert passage is not None
    assert [a.question for a in passage.asked] == ["When was the harbour of Alderby built?"]
    assert passage.asked[0].sentence == PARAGRAPH.sentences[0]


def test_rules_ask_about_plain_sentences() -> None:
    rules = Rules(["the visitors and the owner and the rooms and the town " * 3])
    plain = "The visitors are admitted to all rooms on Sundays in May 1801."
    paragraph = Paragraph((plain, "Usually this is done by the owner of it."), "policy", "policy")
    asked = asked_by_rules(paragraph, rules).questions
    assert ("When are the visitors admitted to all rooms on Sundays?", "May 1801") in {
        (q.text, q.answer) for q in asked
    }
    assert all(q.free for q in asked)
    assert plain_clause(rules, paragraph.sentences[1]) is None


def test_an_output_has_a_field_on_each_line() -> None:
    text = outputs.exqa("It was built\nin 1801.", "1801", "When was it built?")
    first, *others = text.splitlines()
    assert first == "Task: extractive question answering"
    assert parse("\n".join(others)) == {
        "Sentence": "It was built in 1801.",
        "Answer": "1801",
        "Question": "When was it built?",
    }
    assert text.startswith(outputs.begun("exqa", Sentence="It was built in 1801."))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data"))


def test_the_mix_is_balanced_and_about_its_passages(data: Path) -> None:
    groups = Mixture(load(data), seed=1).groups()
    drawn = [next(groups) for _ in range(300)]
    tasks = Counter(row.task for group in drawn for row in group.rows)
    assert set(tasks) == set(SHARES) == set(TASKS)
    assert set(TASKS) - {"answer"} <= {t.short for t in TASK_TYPES}
    for group in drawn:
        text = " ".join(group.passage.split())
        for row in group.rows:
            told = parse(row.output)
            assert told["Task"] == TASKS[row.task]
            assert told.get("Sentence", "") in text
            if row.task in ("exqa", "mcqa"):
                assert told["Answer"] in told["Sentence"]
            if row.label == "span":
                assert told["Answer"] in text
            if row.label == NOT_STATED:
                assert told["Answer"] == NOT_STATED
        assert {line["input"] for line in lines(group)} == {f"Text:\n{group.passage}\n\n"}
    labels = Counter((row.task, row.label) for group in drawn for row in group.rows)
    assert abs(labels["ynqa", "yes"] - labels["ynqa", "no"]) <= 0.05 * tasks["ynqa"]
    three = [labels["nli", label] for label in ("entailment", "contradiction", "neutral")]
    assert max(three) - min(three) <= 1
    assert 0.1 < labels["answer", NOT_STATED] / tasks["answer"] < 0.25


def test_no_contradiction_is_what_another_question_says(data: Path) -> None:
    groups = Mixture(load(data), seed=1).groups()
    rows = [row for _ in range(200) for row in next(groups).rows if row.task == "ynqa"]
    said: dict[str, set[str]] = {}
    for row in rows:
        said.setdefault(parse(row.output)["Question"], set()).add(row.label)
    assert all(len(labels) == 1 for labels in said.values())


def test_rows_that_keep_to_their_sentence_and_rows_that_are_taught(tmp_path: Path) -> None:
    sentence, prompt_ = "The harbour was built in 1801 by Ada Winter.", "Text:\nIt was.\n\n"
    outputs = [
        exqa(sentence, "Ada Winter", "Who built the harbour in 1801?"),
        ynqa(sentence, "yes", "Was the harbour built by Ada Winter?"),
        exqa(sentence, "1801", "What year was it?"),
    ]
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(
            json.dumps({"input": prompt_, "output": out, "task": task}) + "\n"
            for out, task in zip(outputs, ("exqa", "ynqa", "exqa"), strict=True)
        )
    )
    (group,) = closest(rows, Random(0))
    assert [row["output"] for row in group] == outputs[:2]
    passage = f"{sentence} It stands beside the old market."
    written = {"passage": passage, "evidence": sentence}
    asked = f"{passage}\n\nQuestion: Who built the harbour?"
    dataset = tmp_path / "dataset.jsonl"
    lines = [
        {**written, "task_type": "exqa", "input": asked, "output": "Ada Winter"},
        {**written, "task_type": "ynqa", "input": asked, "output": "no"},
    ]
    dataset.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (group,) = taught(dataset)
    assert [row["output"] for row in group] == [
        exqa(sentence, "Ada Winter", "Who built the harbour?")
    ]


def test_every_step_runs_once(data: Path, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model", layers=1)
    convert(tmp_path / "model", tmp_path / "base.gguf", quant="F16")
    out = tmp_path / "out"
    small = {"ROWS": "60", "STEPS": "1", "MORE_STEPS": "1", "RANK": "4", "PASSAGES": "3"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [ROOT / "recipes/small/run.sh", data, tmp_path / "base.gguf", out]
    done = subprocess.run(
        command, env=os.environ | small | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "measured.json").read_text())["passages"] == 3
    written = read_metadata(out / "bonito-small.gguf")
    assert written["general.name"] == "bonito-small"
    assert written["bonito.task_types"] == "exqa,qg,ynqa,mcqa,qa"
    assert written["bonito.writer"] == "evidence"
