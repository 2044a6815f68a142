"""Guided jobs: the shapes of task types, and a whole job on a model that writes noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from bonito_local.cli.main import run
from bonito_local.errors import UsageError
from bonito_local.jobs.guided import check_labels, shape_of
from bonito_local.jobs.review import open_review
from bonito_local.jobs.rows import Filter
from bonito_local.jobs.spec import parse_tasks
from bonito_local.tasks import PIPE, task_type

NOT_LABELS = ("response is not yes or no", "response is not a label")
PASSAGE = "Either party may end the agreement by giving thirty days' notice to the other."


def test_shapes() -> None:
    assert shape_of(task_type("ynqa"), PASSAGE).choices == ("yes", "no", "Yes", "No")
    assert shape_of(task_type("exqa"), f" {PASSAGE}\n").span_of == PASSAGE
    assert shape_of(task_type("exqa"), f"a {PIPE} b").span_of == "a < |pipe| > b"  # as it is shown
    assert "neutral" in shape_of(task_type("nli"), PASSAGE).choices
    assert shape_of(task_type("topic_class"), PASSAGE, ("law", "tax")).choices == ("law", "tax")
    assert shape_of(task_type("qg"), PASSAGE, ("law", "tax")).choices == ()


@pytest.mark.parametrize(
    ("tasks", "labels"),
    [
        ("exqa", ("law", "tax")),
        ("topic_class", ("law", "law")),
        ("topic_class", ("law", f"tax{PIPE}")),
    ],
)
def test_labels_that_would_do_nothing(tasks: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        check_labels(parse_tasks(tasks), labels)
    check_labels(parse_tasks("topic_class,exqa"), ("law", "tax"))
    check_labels(parse_tasks("exqa"), ())


def test_noise_becomes_rows(
    tiny_gguf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model with random weights never writes a row by itself; guided, it writes no other."""
    (tmp_path / "a.txt").write_text(PASSAGE)
    out = tmp_path / "out"
    command = ["generate", str(tmp_path / "a.txt"), "-t", "exqa,ynqa,topic_class,qg"]
    command += ["--model", str(tiny_gguf), "--max-tokens", "90", "--n", "3"]
    assert run([*command, "-o", str(tmp_path / "plain")]) == 1
    capsys.readouterr()
    guided = [*command, "-o", str(out), "--guided", "--labels", "law,tax"]
    assert run(guided) == 0
    review = open_review(out)
    rows = review.page(review.first(Filter(), 99))
    review.close()
    responses: dict[str, list[str]] = {task: [] for task in ("exqa", "ynqa", "topic_class", "qg")}
    for row in rows:
        responses[row.task].append(row.response)
    assert all(response in PASSAGE for response in responses["exqa"])
    assert {response.lower() for response in responses["ynqa"]} <= {"yes", "no"}
    assert set(responses["topic_class"]) <= {"law", "tax"}
    (counts,) = [line.split() for line in capsys.readouterr().out.splitlines() if line[:3] == "all"]
    assert counts[3] == "0"  # unparseable
    assert len(rows) == int(counts[1]) >= 12
    # What it asks is noise all the same.
    assert not {row.reason for row in rows} & {"response is not in the passage", *NOT_LABELS}
    assert run([*guided[:-2], "--labels", "law,tort"]) == 1
    assert "guided 'law,tax' -> 'law,tort'" in capsys.readouterr().err
