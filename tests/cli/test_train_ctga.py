import json
from pathlib import Path

import pytest
from promptsource_checkout import checkout, mirror

from bonito_local.cli.main import run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def paper(tmp_path: Path) -> list[str]:
    """What the paper's mix is asked for with."""
    data, prompts = mirror(tmp_path / "data"), checkout(tmp_path / "promptsource")
    where = ["--data", str(data), "--promptsource", str(prompts)]
    return ["train", "ctga", "paper", *where, "-o", str(tmp_path / "rows.jsonl")]


def test_the_papers_mix_says_what_became_of_every_example(
    paper: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert run([*paper, "--max-examples", "30"]) == 0
    said = capsys.readouterr()
    assert "squad: 40 examples, 30 rows" in said.err
    assert "squad: templates left out: jeopardy (does not hold the passage); mine" in said.err
    assert "warning: not there: cosmos_qa, social_i_qa" in said.err
    cells = [line.replace("│", " ").split() for line in said.out.splitlines()]
    assert ["squad", "40", "10", "0", "30"] in cells
    assert ["over", "the", "dataset's", "cap", "20"] in cells
    assert ["te", "30"] in cells
    assert said.out.endswith(
        f"60 rows in {tmp_path / 'rows.jsonl'}, the counts in {tmp_path / 'rows.report.json'}\n"
    )


def test_the_counts_for_programs(paper: list[str], capsys: Capture) -> None:
    assert run([*paper, "--dataset", "super_glue/rte", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["tasks"] == {"te": 40}
    assert counts["datasets"] == {
        "super_glue/rte": {"read": 40, "rows": {"te": 40}, "dropped": {}, "cut": 0}
    }
    assert counts["absent"] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"paper": "papers.toml", "--data": None, "--promptsource": None}, "cannot be read"),
        ({"paper": "papers.toml"}, "go with SOURCE paper"),
        ({"--data": None}, "needs --promptsource and --data"),
        ({"--promptsource": "/none"}, "no checkout of promptsource"),
        ({"--data": "/none"}, "has no folder for cosmos_qa"),
        ({"-o": "."}, ". is a folder"),
    ],
)
def test_what_cannot_be_is_told(
    paper: list[str], changed: dict[str, str | None], said: str, capsys: Capture
) -> None:
    args = list(paper)
    for name, value in changed.items():
        at = args.index(name)
        if name.startswith("-"):
            args[at : at + 2] = [] if value is None else [name, value]
        else:
            args[at] = str(value)
    assert run(args) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.startswith("error: ")


def test_a_dataset_that_cannot_be_used_is_an_exit_status(
    paper: list[str], tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "data" / "super_glue" / "rte" / "train.jsonl").write_text('{"text": "a"}\n')
    assert run(paper) == 1
    said = capsys.readouterr()
    assert (
        "warning: super_glue/rte gave no rows: asks for premise; the columns are text" in said.err
    )
    assert "40 rows in" in said.out
