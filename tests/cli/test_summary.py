"""The rows printed at a run's end: few, spread over the dataset, and short enough to read."""

import json
from pathlib import Path

from bonito_local.cli.summary import sample_rows

PASSAGE = "Notice is thirty days. " + "The parties agree. " * 40


def write(path: Path, count: int) -> None:
    rows = [
        {
            "input": f"{PASSAGE}\n\nQuestion {at}?",
            "output": f"answer {at}",
            "task_type": "exqa",
            "passage": PASSAGE,
            "source": "nda.docx",
            "page": at if at % 2 else None,
        }
        for at in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_five_rows_at_even_distances(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", 100)
    lines = sample_rows(tmp_path / "rows.jsonl", 100)
    assert [line for line in lines if "output" in line] == [
        f"  output  answer {at}" for at in (10, 30, 50, 70, 90)
    ]
    assert lines[0] == "exqa · nda.docx"
    assert lines[1].startswith("  passage Notice is thirty days. The parties agree.")
    at = lines.index("  input   [passage] Question 10?")
    assert lines[at - 1].endswith("[...]")
    assert sum(map(len, lines[1:at])) < 330
    assert max(map(len, lines)) <= 96


def test_fewer_rows_are_all_shown_and_none_is_none(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", 3)
    outputs = [line for line in sample_rows(tmp_path / "rows.jsonl", 3) if "output" in line]
    assert outputs == [f"  output  answer {at}" for at in range(3)]
    assert sample_rows(tmp_path / "missing.jsonl", 0) == []


def test_a_page_is_named(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", 2)
    assert "exqa · nda.docx, page 1" in sample_rows(tmp_path / "rows.jsonl", 2)
