import json
from pathlib import Path
from typing import Any

import pytest

from bonito_local.errors import TrainingError, UsageError
from bonito_local.tasks import TASK_TYPES, task_type
from bonito_local.training.ctga.build import Limits, build
from bonito_local.training.ctga.described import own_templates, plan_described

# What a dataset for each task type holds.
EXAMPLE: dict[str, Any] = {
    "passage": "The rent is due on Monday.",
    "question": "When is the rent due?",
    "answer": "on Monday",
    "choices": ["on Monday", "never"],
    "statement": "The rent is due.",
    "sentence": "A rent in the cloth.",
    "word": "rent",
    "label": "law",
    "labels": ["law", "sport"],
    "paraphrase": "Rent is to be paid on Monday.",
    "summary": "Rent: Monday",
    "pronoun": "it",
    "title": "The rent",
}

DATASETS = """
[[datasets]]
name = "leases"
files = ["leases/*.jsonl"]
tasks = ["exqa", "yes-no question answering"]
license = "CC-BY-4.0"
[datasets.values]
passage = "clause"
answer = "answers.text[0]"
"""


def described(folder: Path, text: str = DATASETS) -> Path:
    (folder / "leases").mkdir(exist_ok=True)
    rows = [
        {"clause": f"Clause {n}.", "question": f"Which {n}?", "answers": {"text": [str(n)]}}
        for n in range(12)
    ]
    (folder / "leases" / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    path = folder / "datasets.toml"
    path.write_text(text)
    return path


def test_all_16_task_types_have_templates_that_make_rows(tmp_path: Path) -> None:
    templates = own_templates()
    assert list(templates) == [task.short for task in TASK_TYPES]
    (tmp_path / "d.jsonl").write_text(
        "\n".join(json.dumps({**EXAMPLE, "number": n}) for n in range(1000))
    )
    tasks = json.dumps(list(templates))
    path = tmp_path / "datasets.toml"
    path.write_text(f'[[datasets]]\nname = "d"\nfiles = ["d.jsonl"]\ntasks = {tasks}\n')
    found = build(plan_described(path), tmp_path / "rows", Limits(), 0)
    assert found.of("d") == (1000, 0)
    assert not found.left_out
    assert set(found.tasks()) == set(templates)
    shapes = {
        (row["task_type"], row["task_input"], row["task_output"])
        for row in map(json.loads, (tmp_path / "rows").read_text().splitlines())
    }
    # Each template was drawn, and nothing is left of Jinja or of what it stands for.
    assert len(shapes) == sum(map(len, templates.values()))
    for name, instruction, response in shapes:
        text = f"{instruction} {response}".replace("{{context}}", "", 1)
        assert "{" not in text, name
        assert "|||" not in text
        assert response in [value for value in EXAMPLE.values()] + ["{{context}}"]  # noqa: C416
    mcqa = next(text for name, text, _ in shapes if "multiple" in name and "A. on Monday" in text)
    assert mcqa.endswith("Question: When is the rent due?\nA. on Monday\nB. never")


def test_a_dataset_is_read_as_it_is_described(tmp_path: Path) -> None:
    plan = plan_described(described(tmp_path))
    (leases,) = plan.sources
    assert leases.files == (tmp_path / "leases" / "a.jsonl",)
    assert leases.values == (("passage", "clause"), ("answer", "answers.text[0]"))
    assert {template.task for template in leases.templates} == {"exqa", "ynqa"}
    found = build(plan, tmp_path / "rows.jsonl", Limits(), 0)
    assert found.of("leases") == (12, 0)
    assert json.loads((tmp_path / "rows.report.json").read_text())["licenses"] == {
        "leases": "CC-BY-4.0"
    }
    for line in (tmp_path / "rows.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert row["context"] == f"Clause {row['task_output']}."
        assert f"Which {row['task_output']}?" in row["task_input"]


def test_own_templates_take_the_place_of_the_projects(tmp_path: Path) -> None:
    template = "{{ passage }}: {{ question }} ||| {{ answer }}!"
    text = f'{DATASETS}\n[templates]\nexqa = ["{template}"]'
    plan = plan_described(described(tmp_path, text))
    assert [t.name for t in plan.sources[0].templates if t.task == "exqa"] == ["exqa 1"]
    build(plan, tmp_path / "rows", Limits(), 3)
    rows = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    name = task_type("exqa").name
    assert all(row["task_output"].endswith("!") == (row["task_type"] == name) for row in rows)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[datasets]]", "[[dataset]]", "The key dataset is not known. Did you mean 'datasets'?"),
        ('name = "leases"', "", "datasets.name is missing"),
        ("tasks =", "task =", "The key leases.task is not known. Did you mean 'tasks'?"),
        ('"exqa"', '"exqq"', "Unknown task type 'exqq'. Did you mean 'exqa'?"),
        ('tasks = ["exqa", "yes-no question answering"]', "", "leases.tasks is no list"),
        ('"answers.text[0]"', "7", "leases.values.answer is missing, or not a text"),
        ("leases/*.jsonl", "lease/*.jsonl", "no file is 'lease/*.jsonl'"),
        ("leases/*.jsonl", "*.toml", "is of no kind that is read"),
        ("[datasets.values]", "[datasets.values", "is not TOML"),
        ("[[datasets]]", "[datasets]", "There are no datasets"),
        ("[datasets.values]", '[templates]\nexqa = ["no"]\n[x]', "The key x is not known"),
    ],
)
def test_a_mistake_is_one_error_that_names_the_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        plan_described(described(tmp_path, DATASETS.replace(old, new)))
    assert said in str(caught.value)
    assert str(tmp_path) in caught.value.title


@pytest.mark.parametrize(
    "text", ["{{ question }} ||| a", "{{ passage }} a", "{{ passage[1:] }} ||| a"]
)
def test_a_template_without_passage_or_response_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="lacks the passage or the response"):
        plan_described(described(tmp_path, f'{DATASETS}\n[templates]\nexqa = ["{text}"]'))


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        plan_described(tmp_path / "none.toml")


def test_a_value_that_is_no_expression_is_told(tmp_path: Path) -> None:
    text = DATASETS.replace("answers.text[0]", "answers.text[")
    with pytest.raises(TrainingError, match=r"No dataset can be used\. leases: unexpected"):
        build(plan_described(described(tmp_path, text)), tmp_path / "rows", Limits(), 0)
